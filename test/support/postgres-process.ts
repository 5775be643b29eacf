// The process of a Postgres server for tests: started on a free port, never outlives the process of the tests.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, statfsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findInstallation, giveToServer, serverAccount } from './postgres-installation.ts'
import { freePort } from './sockets.ts'

/** Between the look for a free port and its use, another process can take it. */
const PORT_ATTEMPTS = 5

const LOG_LINES = 10_000

/** A file system in memory, where Linux has one. */
const IN_MEMORY = '/dev/shm'
/** Some servers at a time of 20 MB each, and what tests store; containers often have 64 MB, which is not enough. */
const MIN_MEMORY_BYTES = 2 * 1024 ** 3

/**
 * Copies the template, runs the server, and ends it (immediate shutdown) when the standard input ends: by `stop()`, or
 * by the system when the process of the tests dies in whatever way. Then deletes the folder. The signal is repeated as
 * it is lost on a server that has not set up its handlers: a shell starts jobs with SIGQUIT ignored.
 */
const KEEPER = `
template=$1 folder=$2
shift 2
cp -R "$template/." "$folder/data" || exit 1
exec 3<&0
"$@" 3<&- &
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

/** A file in the server's folder, e.g. `pg_hba.conf`, or among its data. Only the server can read it. */
export interface ServerFile {
  /** `data/…` is among the data. */
  readonly name: string
  readonly content: string
}

export interface PostgresProcess {
  readonly port: number
  /** The last 10,000 lines that the server has logged. */
  readonly log: readonly string[]
  stop(): Promise<void>
}

/**
 * @param files to be put into the server's folder
 * @param settings makes `-c` settings out of the path of the server's folder
 */
export async function startProcess(
  files: readonly ServerFile[],
  settings: (folder: string) => Readonly<Record<string, string>>,
): Promise<PostgresProcess> {
  for (let attempt = 1; ; attempt++) {
    const log: string[] = []
    try {
      return await tryToStart(files, settings, log)
    } catch (error) {
      const portIsTaken = log.some((line) => line.includes('Address already in use'))
      if (!portIsTaken || attempt === PORT_ATTEMPTS) throw error
    }
  }
}

/** Where servers have their data. On disk, copying the template takes ten times as long as all else of a start. */
function dataRoot(): string {
  try {
    accessSync(IN_MEMORY, constants.W_OK)
    const { bavail, bsize } = statfsSync(IN_MEMORY)
    return bavail * bsize >= MIN_MEMORY_BYTES ? IN_MEMORY : tmpdir()
  } catch {
    return tmpdir() // another system
  }
}

async function tryToStart(
  files: readonly ServerFile[],
  settings: (folder: string) => Readonly<Record<string, string>>,
  log: string[],
): Promise<PostgresProcess> {
  const { program, template } = await findInstallation()
  const folder = await mkdtemp(join(dataRoot(), 'faultline-postgres-'))
  await mkdir(join(folder, 'data'), { mode: 0o700 })
  for (const made of [folder, join(folder, 'data')]) await giveToServer(made)
  for (const { name, content } of files) {
    await writeFile(join(folder, name), content, { mode: 0o600 })
    await giveToServer(join(folder, name))
  }
  const port = await freePort()
  const flags = Object.entries({ ...settings(folder), port: String(port) }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
  const command = [program, '-D', join(folder, 'data'), ...flags]
  // In a process group of its own: Ctrl-C must end the tests, and the tests the server.
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'sh', template, folder, ...command], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, LC_ALL: 'C' },
    ...serverAccount,
  })
  const stop = async (): Promise<void> => {
    if (keeper.exitCode === null && keeper.signalCode === null) {
      const exited = once(keeper, 'exit')
      keeper.stdin?.end()
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await untilReady(keeper, log)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, log, stop }
}

/** What a server says, and what a standby says. */
const READY = /database system is ready to accept (?:read-only )?connections/

/** By the server's own log: something that answers on the port could be another server. */
async function untilReady(keeper: ChildProcess, log: string[]): Promise<void> {
  if (!keeper.stderr) throw new Error('stderr is a pipe')
  const lines = createInterface(keeper.stderr)
  await new Promise<void>((resolve, reject) => {
    keeper.once('error', reject)
    keeper.once('close', (code) => {
      reject(new Error(`postgres ended with ${code} before it was ready:\n${log.join('\n')}`))
    })
    lines.on('line', (line) => {
      log.push(line)
      if (log.length > LOG_LINES) log.shift()
      if (READY.test(line)) resolve()
    })
  })
}
