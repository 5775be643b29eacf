// `faultline sidecar`: redirection by rules of the packet filter, made only in a network of the test's own: this file
// runs itself there.
import { execFile, execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type pg from 'pg'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { inProcess, MAIN, parseLog, ROOT } from '../cli/support.ts'
import { readSections, stepsOf } from '../support/docs-markdown.ts'
import { insideNamespace, nft, runInside, whyNoNamespace } from '../support/network-namespace.ts'
import { startPostgres, type PostgresServer } from '../support/postgres.ts'
import { freePort } from '../support/sockets.ts'

/** Of the servers: not the loopback addresses, to which connections are redirected. */
const SERVER = '10.9.0.1'
const OTHER_SERVER = '10.9.0.2'
const SERVER_IPV6 = 'fd00:9::1'

/** The image's user. Whoever runs the tests is another. */
const FAULTLINE_UID = 8474
const NOBODY = 65_534

const GUIDE = join(ROOT, 'docs', 'sidecar.md')

async function sidecar(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await inProcess(['sidecar', ...args])
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

function tables(): string[] {
  return nft('list', 'tables').split('\n').filter(Boolean)
}

// ---- psql and Faultline between it and a real server ---------------------------------------------------------------

/** What psql, which knows nothing of Faultline, says of a query to the server's own address. */
async function psql({ port }: PostgresServer, sql: string): Promise<string> {
  const args = ['--host', SERVER, '--port', String(port), '--username', 'postgres', '--no-psqlrc', '-Atc', sql]
  const child = execFile('psql', args, { env: { PATH: process.env['PATH'], PGCONNECT_TIMEOUT: '10', LC_ALL: 'C' } })
  const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!)])
  return (stdout + stderr).trim()
}

interface Faultline extends AsyncDisposable {
  readonly proxyPort: number
  api(path: string, body?: object, method?: string): Promise<any>
  kill(): Promise<void>
}

/** Run by its own user, with a proxy to the server. */
async function startFaultline(server: PostgresServer): Promise<Faultline> {
  const user = { uid: FAULTLINE_UID, gid: FAULTLINE_UID }
  const child = spawn(process.execPath, [MAIN, 'serve', '--port', '0'], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'pipe', 'inherit'],
    ...user,
  })
  const url = `http://127.0.0.1:${await startedPort(child)}`
  const api: Faultline['api'] = async (path, body, method = body ? 'POST' : 'GET') => {
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(url + path, { method, ...(body && { headers, body: JSON.stringify(body) }) })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? undefined : answer.json()
  }
  const spec = { name: 'db', listen: '127.0.0.1:0', upstream: `${SERVER}:${server.port}`, protocol: 'postgres' }
  const { listen } = await api('/v1/proxies', spec)
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { proxyPort: Number(listen.split(':')[1]), api, kill, [Symbol.asyncDispose]: kill }
}

async function startedPort(child: ChildProcess): Promise<number> {
  for await (const line of createInterface(child.stdout!)) {
    const { msg, port } = parseLog(line)
    if (msg !== 'faultline started') continue
    child.stdout!.resume()
    return Number(port)
  }
  throw new Error('faultline serve ended before it had started')
}

const CONFLICT = { type: 'pg_error', name: 'conflict', attributes: { code: '40001' }, match: { statement: 'update' } }

function inNamespace(): void {
  beforeAll(() => {
    for (const address of [`${SERVER}/32`, `${OTHER_SERVER}/32`, `${SERVER_IPV6}/128`]) {
      execFileSync('ip', ['address', 'add', address, 'dev', 'lo'])
    }
  })

  afterEach(() => nft('flush', 'ruleset'))

  describe('with psql and a server', () => {
    let server: PostgresServer
    let faultline: Faultline
    let flags: string[]
    beforeAll(async () => {
      const hba = [`host all all ${SERVER}/32 trust`]
      server = await startPostgres({ settings: { listen_addresses: `127.0.0.1,${SERVER}` }, hba })
      await server.query('CREATE TABLE accounts (balance int)')
      faultline = await startFaultline(server)
      flags = ['--port', `${server.port}:${faultline.proxyPort}`, '--uid']
      return async () => {
        await faultline.kill()
        await server.stop()
      }
    })
    const update = (): Promise<string> => psql(server, 'UPDATE accounts SET balance = 0')
    const connect = (): Promise<pg.Client> => server.connect({ host: SERVER })
    const apply = (): Promise<string> => sidecar('apply', ...flags, String(FAULTLINE_UID))

    test('connections to its port pass through the faults, and do not once that is removed', async () => {
      await faultline.api('/v1/proxies/db/faults', CONFLICT)
      expect(await update()).toBe('UPDATE 0')
      const before = await connect()

      const where = `port ${server.port} → port ${faultline.proxyPort}`
      expect(await apply()).toBe(`Redirected: ${where}, but for uid ${FAULTLINE_UID}\n`)
      expect(await update()).toMatch(/^ERROR: {2}could not serialize access/)
      // Only its own way there is free: its connection to the same port did not come back to it.
      const { injections } = await faultline.api('/v1/injections')
      expect(injections).toEqual([expect.objectContaining({ fault: 'conflict', action: 'error' })])
      // What was open stays where it is.
      expect((await before.query('UPDATE accounts SET balance = 0')).rowCount).toBe(0)
      await before.end()

      expect(await sidecar('remove')).toBe('Removed table faultline_sidecar\n')
      expect(await update()).toBe('UPDATE 0')
      expect(tables()).toEqual([])
      expect(await sidecar('remove')).toBe('There is no table faultline_sidecar: nothing is redirected\n')
    })

    test('connections through Faultline end with the redirection, and can be made again', async () => {
      await apply()
      const client = await connect()
      await client.query('SELECT 1')
      expect((await faultline.api('/v1/connections')).connections).toHaveLength(1)
      await sidecar('remove')
      await expect(client.query('SELECT 1')).rejects.toThrow(/ECONNRESET|terminated/)
      const again = await connect()
      await again.query('SELECT 1')
      await again.end()
    })

    test('a user that is not the one of Faultline is refused, as its connections would come back to it', async () => {
      const { code, stderr } = await inProcess(['sidecar', 'apply', ...flags, '1000'])
      const why = `port ${faultline.proxyPort} is listened on by uid ${FAULTLINE_UID}`
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: `faultline: sidecar apply needs --uid of the user that runs Faultline, got 1000: ${why}\n`,
      })
      expect(tables()).toEqual([])
    })

    test('after kill -9 of Faultline nobody answers, until the redirection is removed without it', async () => {
      await apply()
      await faultline.kill()
      expect(await update()).toContain('Connection refused')
      await sidecar('remove')
      expect(await update()).toBe('UPDATE 0')
    })
  })

  test('only what goes to the address is redirected, each to its own proxy, of its own family', async () => {
    const [port, one, two] = await Promise.all([freePort(), freePort(), freePort()])
    await using servers = await startGreeters([
      [SERVER, port],
      [OTHER_SERVER, port],
      [SERVER_IPV6, port],
      ['127.0.0.1', one],
      ['::1', two],
    ])
    const greetings = (): Promise<string[]> =>
      Promise.all([SERVER, OTHER_SERVER, SERVER_IPV6].map((host) => servers.greeting(host, port)))
    const uid = ['--uid', String(process.geteuid?.())]
    expect(await greetings()).toEqual([`${SERVER}:${port}`, `${OTHER_SERVER}:${port}`, `${SERVER_IPV6}:${port}`])
    await sidecar('apply', '--port', `${SERVER}:${port}:${one}`, '--port', `[${SERVER_IPV6}]:${port}:${two}`, ...uid)
    expect(await greetings()).toEqual([`127.0.0.1:${one}`, `${OTHER_SERVER}:${port}`, `::1:${two}`])
    // In place of these, and whatever the order in which they are given.
    await sidecar('apply', '--port', `${port}:${two}`, '--port', `${OTHER_SERVER}:${port}:${one}`, ...uid)
    expect(await servers.greeting(OTHER_SERVER, port)).toBe(`127.0.0.1:${one}`)
    expect(await servers.greeting(SERVER_IPV6, port)).toBe(`::1:${two}`)
    expect(tables()).toEqual(['table inet faultline_sidecar'])
  })

  test('the printed rules are those that are applied, as often as one likes', async () => {
    const flags = ['--port', '5432:15432', '--port', '10.0.0.5:5432:15433', '--uid', '8474']
    await sidecar('apply', ...flags)
    const applied = nft('list', 'ruleset')
    nft('flush', 'ruleset')
    const rules = await sidecar('rules', ...flags)
    for (let times = 0; times < 2; times++) execFileSync('nft', ['-f', '-'], { input: rules })
    expect(nft('list', 'ruleset')).toBe(applied)
    expect(applied).toContain('tcp dport 5432 redirect to :15432')
  })

  test('the commands of the guide do what it shows', async () => {
    const shown = readSections(GUIDE).flatMap(stepsOf)
    expect(shown.length).toBeGreaterThan(3)
    for (const { script, output } of shown) {
      const words = /^(?:sudo )?npx faultline sidecar (.*)\n$/.exec(script)?.[1]?.split(' ') ?? [script]
      expect(await sidecar(...words)).toBe(output)
    }
  })

  test('rules of others stay', async () => {
    nft('add', 'table', 'inet', 'firewall')
    await sidecar('apply', '--port', '5432:15432', '--uid', '8474')
    await sidecar('remove')
    expect(tables()).toEqual(['table inet firewall'])
  })
}

interface Greeters extends AsyncDisposable {
  /** What a connection by another user than the tests' gets. */
  greeting(host: string, port: number): Promise<string>
}

/** Each says to everybody who connects where that was. */
async function startGreeters(addresses: readonly (readonly [host: string, port: number])[]): Promise<Greeters> {
  const servers = addresses.map(([host, port]) =>
    net.createServer((socket) => socket.end(`${host}:${port}`)).listen(port, host),
  )
  await Promise.all(servers.map((server) => once(server, 'listening')))
  return {
    async greeting(host, port) {
      const options = { uid: NOBODY, gid: NOBODY, cwd: '/' }
      const child = execFile('bash', ['-c', 'cat <"/dev/tcp/$0/$1"', host, String(port)], options)
      return text(child.stdout!)
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => once(server.close(), 'close')))
    },
  }
}

// ---- without rules -------------------------------------------------------------------------------------------------

/** Why the tests with rules can't run; undefined if they can. */
function whyNot(): string | undefined {
  if (process.geteuid?.() !== 0) return 'only root can run processes of other users'
  if (spawnSync('psql', ['--version']).error) return 'there is no psql'
  return whyNoNamespace()
}

function anywhere(): void {
  const reason = whyNot()

  test.skipIf(reason !== undefined)(
    `redirects connections, in a network of its own${reason === undefined ? '' : ` (there can be none: ${reason})`}`,
    { timeout: 60_000 },
    () => runInside(import.meta.filename),
  )

  test('prints rules: those for one address before those for all', async () => {
    const ports = ['--port', '5432:15432', '-p', '10.0.0.5:5432:15433', '--port', '[fd00::5]:6379:16379']
    expect(await sidecar('rules', ...ports, '--uid', '8474')).toBe(`add table inet faultline_sidecar
delete table inet faultline_sidecar
table inet faultline_sidecar {
  chain outgoing {
    type nat hook output priority -100; policy accept;
    meta skuid 8474 return comment "Faultline's own"
    tcp flags & (fin | syn | rst | ack) != syn return comment "Connections that are open"
    ip daddr 10.0.0.5 tcp dport 5432 redirect to :15433
    ip6 daddr fd00::5 tcp dport 6379 redirect to :16379
    tcp dport 5432 redirect to :15432
  }
}
`)
  })

  test.each([
    [['--uid', '8474'], '--port: missing, expected a port'],
    [['--port', '5432:15432'], '--uid: missing, expected an integer'],
    [['--port', '5432:15432', '--uid', 'postgres'], '--uid: expected an integer from 0 to 4294967294, got "postgres"'],
    [['--port', '5432', '--uid', '1'], "--port: expected a port and the proxy's port such as 5432:15432"],
    [['--port', '5432:0', '--uid', '1'], '--port: expected'],
    [['--port', '5432:65536', '--uid', '1'], '--port: expected'],
    [['--port', '10.0.0.500:5432:15432', '--uid', '1'], '--port: expected'],
    [['--port', '[fd00::5::1]:5432:15432', '--uid', '1'], '--port: expected'],
    [['--port', 'db:5432:15432', '--uid', '1'], '--port: expected'],
    [['--port', '5432:1', '--port', '5432:2', '--uid', '1'], '--port: expected one proxy for port 5432, got two'],
    [['-p', '[::1]:1:1', '-p', '[::1]:1:2', '--uid', '1'], '--port: expected one proxy for [::1]:1, got two'],
  ])('%j is refused, without a rule', async (args, message) => {
    for (const word of ['rules', 'apply']) {
      const { code, stdout, stderr } = await inProcess(['sidecar', word, ...args])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain(`faultline: ${message}`)
    }
  })

  test("the guide's configuration is valid", async () => {
    const sections = readSections(GUIDE)
    const blocks = sections.flatMap((section) => section.blocks).filter(({ language }) => language === 'yaml')
    expect(blocks.map(({ note }) => note)).toEqual(['faultline.yaml'])
    const folder = mkdtempSync(join(tmpdir(), 'faultline-sidecar-'))
    const file = join(folder, 'faultline.yaml')
    writeFileSync(file, blocks[0]!.text)
    expect(await inProcess(['validate', file])).toMatchObject({ code: 0 })
    rmSync(folder, { recursive: true })
  })

  test.skipIf(process.geteuid?.() !== 0).each([['apply', '--port', '5432:15432', '--uid', '8474'], ['remove']])(
    '%s says what it lacks where it has no rights',
    async (...args) => {
      const child = execFile(process.execPath, [MAIN, 'sidecar', ...args], { uid: NOBODY, gid: NOBODY })
      const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
      expect(code).toBe(1)
      // Without nft, or on another system, the reason is another.
      const why = 'needs (?:the capability CAP_NET_ADMIN|the program nft|Linux)'
      expect(stderr).toMatch(new RegExp(`^faultline: sidecar ${args[0]} ${why}`))
    },
  )
}

if (insideNamespace) inNamespace()
else anywhere()
