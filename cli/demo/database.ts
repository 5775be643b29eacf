// The Postgres of the demo: a real server on a free port, with its data in a temporary folder that goes with it.
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import pg from 'pg'
import { findPrograms, serverAccount, type Account } from './postgres-programs.ts'

const execute = promisify(execFile)
const HOST = '127.0.0.1'

/** Nobody minds losing its data: it does not wait for disks. */
const SETTINGS = {
  listen_addresses: HOST,
  unix_socket_directories: '',
  fsync: 'off',
  synchronous_commit: 'off',
  shared_buffers: '16MB',
  max_connections: '20',
  autovacuum: 'off',
  io_method: 'sync',
}

/**
 * Runs a server until the standard input ends, which it does with this process, however that dies; then deletes the
 * folder. The signal (immediate shutdown) is repeated as a server that has not set up its handlers ignores it.
 */
const KEEPER = `
folder=$1
shift
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
(
  read -r _ <&3
  while kill -QUIT "$server" 2>/dev/null; do sleep 1; done
) &
watch=$!
wait "$server"
code=$?
kill "$watch" 2>/dev/null
rm -rf "$folder"
exit "$code"
`

export interface Database {
  /** `host:port`. */
  readonly address: string
  /** How many orders it holds, asked on a connection that no proxy sees. */
  orders(): Promise<number>
  /** Ends it at once and deletes its data. */
  close(): Promise<void>
}

/**
 * Starts a server with an empty table `orders`, in a second or two.
 *
 * @throws Error that says why there is none
 */
export async function startDatabase(): Promise<Database> {
  const [programs, account] = await Promise.all([findPrograms(), serverAccount()])
  const folder = await mkdtemp(join(tmpdir(), 'faultline-demo-'))
  let keeper: ChildProcess | undefined
  const stop = async (): Promise<void> => {
    if (keeper) await endKeeper(keeper)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const data = join(folder, 'data')
    await mkdir(data, { mode: 0o700 })
    for (const path of [folder, data]) await giveTo(account, path)
    const initialize = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
    await execute(programs.initdb, [...initialize, `--pgdata=${data}`], { cwd: '/', ...account })
    const port = await freePort()
    const settings = Object.entries({ ...SETTINGS, port }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    // In a process group of its own: Ctrl-C is for the demo, which ends it.
    keeper = spawn('/bin/sh', ['-c', KEEPER, 'sh', folder, programs.postgres, '-D', data, ...settings], {
      cwd: '/',
      detached: true,
      stdio: ['pipe', 'ignore', 'pipe'],
      ...account,
    })
    await untilReady(keeper)
    const client = new pg.Client({ host: HOST, port, user: 'postgres', database: 'postgres' })
    client.on('error', () => undefined)
    await client.connect()
    await client.query('CREATE TABLE orders (id bigserial PRIMARY KEY, cents integer NOT NULL)')
    return {
      address: `${HOST}:${port}`,
      async orders() {
        const { rows } = await client.query<{ orders: number }>('SELECT count(*)::int AS orders FROM orders')
        return rows[0]?.orders ?? 0
      },
      async close() {
        await client.end()
        await stop()
      },
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function giveTo({ uid, gid }: Account, path: string): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** By the server's own log: what answers on the port could be another server. */
async function untilReady(keeper: ChildProcess): Promise<void> {
  if (!keeper.stderr) throw new Error('stderr is a pipe')
  const log: string[] = []
  const lines = createInterface(keeper.stderr)
  await new Promise<void>((resolve, reject) => {
    keeper.once('error', reject)
    keeper.once('close', (code) => reject(new Error(`postgres ended with ${code}: ${log.slice(-3).join('; ')}`)))
    lines.on('line', (line) => {
      if (log.length < 100) log.push(line)
      if (line.includes('database system is ready to accept connections')) resolve()
    })
  })
}

async function endKeeper(keeper: ChildProcess): Promise<void> {
  if (keeper.pid === undefined || keeper.exitCode !== null || keeper.signalCode !== null) return
  const exited = once(keeper, 'exit')
  keeper.stdin?.end()
  await exited
}
