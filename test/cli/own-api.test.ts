// The commands over our own API, each against a real server: what they do, what they print, what --json prints.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import type { FaultProxy, ProxySpec } from '../../proxy/index.ts'
import { freePort } from '../support/sockets.ts'
import { inProcess, type Ended } from './support.ts'

let server: AdminServer

beforeAll(async () => {
  server = await startAdminServer({ port: 0, seed: 7 })
})
afterAll(() => server.close())
beforeEach(async () => {
  server.network.resume()
  server.network.heal()
  for (const { name } of server.network.proxies) await server.network.removeProxy(name)
})

function run(...args: string[]): Promise<Ended> {
  return inProcess(args, { FAULTLINE_URL: server.url })
}

/** What a command that must succeed printed. */
async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await printed(...args, '--json'))
}

async function failed(exitCode: number, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' })
  return stderr
}

/** Disabled, so that its port is as it was given. */
const redis: ProxySpec = { name: 'redis', listen: '127.0.0.1:0', upstream: '127.0.0.1:6379', enabled: false }

function create(spec: Partial<ProxySpec> = {}): Promise<FaultProxy> {
  return server.network.createProxy({ ...redis, ...spec })
}

describe('proxy', () => {
  test('add takes protocol, its options, services, and says where it listens', async () => {
    const words = ['proxy', 'add', 'shop', '-u', '127.0.0.1:1', '-p', 'http', '--from', 'app', '--to', 'shop']
    const text = await printed(...words, 'strict=true')
    const proxy = server.network.proxy('shop')
    expect(proxy).toMatchObject({ protocol: 'http', from: 'app', to: 'shop', enabled: true })
    expect(proxy?.protocolOptions).toMatchObject({ strict: true })
    expect(text).toBe(`Added proxy shop: ${proxy?.listen} → 127.0.0.1:1 (http)\n`)
  })

  test('add can leave it disabled; --json prints the proxy', async () => {
    const words = ['proxy', 'add', 'redis', '-l', '127.0.0.1:0', '-u', '127.0.0.1:6379', '--disabled']
    expect(await json(...words)).toMatchObject({ name: 'redis', protocol: 'tcp', enabled: false, faults: [] })
  })

  test('add of an option that the protocol does not have is a usage error, in the words of the server', async () => {
    expect(await failed(2, 'proxy', 'add', 'x', '-u', 'x:1', 'strict=true')).toMatch(
      /^faultline: strict: expected nothing, as a proxy with protocol tcp has no such option\nSee: faultline help proxy add\n$/,
    )
  })

  test('add of a name that is taken fails', async () => {
    await create()
    expect(await failed(1, 'proxy', 'add', 'redis', '-u', 'x:1')).toContain('a proxy named "redis" already exists')
  })

  test('list shows proxies by name, with connections and faults', async () => {
    await create({ faults: [{ type: 'noop' }, { type: 'latency' }] })
    await create({ name: 'a', protocol: 'udp' })
    expect(await printed('proxy', 'list')).toBe(
      [
        'NAME   PROTOCOL  LISTEN       UPSTREAM        STATE     CONNECTIONS  FAULTS',
        'a      udp       127.0.0.1:0  127.0.0.1:6379  disabled  0            none',
        'redis  tcp       127.0.0.1:0  127.0.0.1:6379  disabled  0            noop_downstream, latency_downstream',
        '',
      ].join('\n'),
    )
    expect(await json('proxy', 'list')).toMatchObject([{ name: 'redis' }, { name: 'a' }])
  })

  test('list says how to begin when there are none', async () => {
    expect(await printed('proxy', 'list')).toBe('There are no proxies. Add one with "faultline proxy add".\n')
  })

  test('show has everything about one', async () => {
    await create({ from: 'app', to: 'redis', faults: [{ type: 'latency', attributes: { latency: 100 }, skip: 2 }] })
    expect(await printed('proxy', 'show', 'redis')).toBe(
      [
        'Name              redis',
        'Protocol          tcp',
        'Listen            127.0.0.1:0',
        'Upstream          127.0.0.1:6379',
        'Link              app → redis',
        'State             disabled',
        'Connections       0 live, 0 accepted',
        'Failed            0 dials, 0 accepts',
        'Upstream bytes    0 received, 0 sent',
        'Downstream bytes  0 received, 0 sent',
        '',
        'FAULT               TYPE     DIRECTION   ATTRIBUTES            ACTS ON  ENDS   INJECTIONS',
        'latency_downstream  latency  downstream  latency=100 jitter=0  skip 2   never  0',
        '',
      ].join('\n'),
    )
    expect(await json('proxy', 'show', 'redis')).toMatchObject({ name: 'redis', faults: [{ skip: 2 }] })
  })

  test('enable and disable say what it is now', async () => {
    await create()
    expect(await printed('proxy', 'enable', 'redis')).toBe('Proxy redis is now enabled\n')
    expect(server.network.proxy('redis')?.enabled).toBe(true)
    expect(await printed('proxy', 'disable', 'redis')).toBe('Proxy redis is now disabled\n')
    expect(await json('proxy', 'enable', 'redis')).toMatchObject({ name: 'redis', enabled: true })
  })

  test.each(['rm', 'remove'])('%s ends it', async (word) => {
    await create({ name: 'a/b ?..' })
    expect(await printed('proxy', word, 'a/b ?..')).toBe('Removed proxy a/b ?..\n')
    expect([...server.network.proxies]).toEqual([])
    expect(await failed(1, 'proxy', word, 'a/b ?..')).toContain('there is no proxy named "a/b ?.."')
  })
})

describe('fault', () => {
  test('add takes attributes as words, and everything else as flags', async () => {
    const proxy = await create()
    const lease = server.network.leases.create({ ttlMs: 60_000 })
    const limits = ['--probability', '.5', '--skip', '1', '--times', '3', '--every', '2']
    const ends = ['--ttl', '1.5m', '--lease', lease.id]
    const words = ['latency', 'latency=1000', 'jitter=50', '-n', 'slow', '-d', 'upstream', ...limits, ...ends]
    expect(await printed('fault', 'add', 'redis', ...words)).toBe(
      'Added to proxy redis: slow (latency, upstream): latency=1000 jitter=50; ' +
        'acts on skip 1, every 2, times 3, 50%; ends in 90 s or with its lease\n',
    )
    const settings = { direction: 'upstream', probability: 0.5, skip: 1, times: 3, every: 2 }
    expect(proxy.fault('slow')).toMatchObject({ ...settings, ttlMs: 90_000, lease: lease.id })
  })

  test('add takes a match and attributes as words or JSON', async () => {
    const proxy = await create({ protocol: 'http' })
    const match = ['--match', 'method=POST', '--match', '{"path":{"glob":"/v1/*"}}', '--match', 'status=[500,503]']
    const attributes = ['--attributes', '{"headers":{"retry-after":"1"}}', 'body={"error":"gone"}', 'status=503']
    await printed('fault', 'add', 'redis', 'http_abort', ...attributes, ...match.slice(0, 4))
    expect(proxy.fault('http_abort_upstream')).toMatchObject({
      attributes: { status: 503, headers: { 'retry-after': '1' }, body: { error: 'gone' } },
      match: { method: 'POST', path: { glob: '/v1/*' } },
    })
  })

  test.each([
    ['postgres', 'pg_error', 'code=40001', { code: '40001' }],
    ['postgres', 'pg_error', 'message=true', { message: 'true' }],
    ['http', 'http_corrupt', 'text=5', { text: '5' }],
    ['http', 'http_abort', 'status=500', { status: 500 }],
    ['udp', 'duplicate', 'copies=2', { copies: 2 }],
  ] as const)('add on %s of %s reads %s as the schema of the type has it', async (protocol, type, word, attributes) => {
    await create({ protocol })
    const required = type === 'pg_error' && !word.startsWith('code') ? ['code=40001'] : []
    expect(await json('fault', 'add', 'redis', type, ...required, word)).toMatchObject({ attributes })
  })

  test('add can leave it disabled', async () => {
    await create()
    expect(await printed('fault', 'add', 'redis', 'noop', '--disabled')).toContain('acts on nothing: disabled')
    expect(await json('fault', 'list', 'redis')).toMatchObject([{ enabled: false }])
  })

  test.each([
    [['latncy'], /^faultline: type: unknown fault type "latncy" \(did you mean "latency"\?\)/],
    [['latency', 'latncy=5'], /^faultline: attributes\.latncy: unknown field \(did you mean "latency"\?\)/],
    [['latency', 'latency=soon'], /^faultline: attributes\.latency: expected an integer ≥ 0, got "soon"/],
    [['latency', '--lease', 'x'], /^faultline: .* refused POST .*: lease: expected the id of a lease/, 1],
    [['http_abort'], /^faultline: .* refused POST .*http_abort needs a proxy with protocol http/, 1],
  ])('add of %j is refused, in the words of the server', async (words, message, exitCode = 2) => {
    const proxy = await create()
    expect(await failed(exitCode, 'fault', 'add', 'redis', ...words)).toMatch(message)
    expect([...proxy.faults]).toEqual([])
  })

  test('set changes what is named, and nothing else', async () => {
    const proxy = await create({ faults: [{ type: 'latency', attributes: { latency: 100, jitter: 5 }, times: 3 }] })
    const name = 'latency_downstream'
    expect(await printed('fault', 'set', 'redis', name, 'latency=200', '--probability', '0.25', '--disable')).toBe(
      'Changed on proxy redis: latency_downstream (latency, downstream): latency=200 jitter=5; acts on nothing: disabled\n',
    )
    expect(proxy.fault(name)).toMatchObject({ probability: 0.25, times: 3, enabled: false })
    expect(await json('fault', 'set', 'redis', name, '--enable')).toMatchObject({ enabled: true, probability: 0.25 })
  })

  test('list shows those of all proxies, or of one', async () => {
    await create({ faults: [{ type: 'noop' }] })
    await create({ name: 'b', faults: [{ type: 'hang_on_accept', ttlMs: 10_800_000, probability: 0.05 }] })
    expect(await printed('fault', 'list')).toBe(
      [
        'PROXY  FAULT            TYPE            DIRECTION   ATTRIBUTES  ACTS ON  ENDS    INJECTIONS',
        'redis  noop_downstream  noop            downstream  none        all      never   0',
        'b      hang_on_accept   hang_on_accept  both        none        5%       in 3 h  0',
        '',
      ].join('\n'),
    )
    expect(await json('fault', 'list', 'b')).toMatchObject([{ proxy: 'b', name: 'hang_on_accept' }])
  })

  test('list says how to begin when there are none', async () => {
    expect(await printed('fault', 'list')).toBe('There are no faults. Add one with "faultline fault add".\n')
  })

  test('rm ends it', async () => {
    const proxy = await create({ faults: [{ type: 'noop' }] })
    expect(await printed('fault', 'rm', 'redis', 'noop_downstream')).toBe('Removed from proxy redis: noop_downstream\n')
    expect([...proxy.faults]).toEqual([])
    expect(await failed(1, 'fault', 'rm', 'redis', 'noop_downstream')).toContain('has no fault named "noop_downstream"')
  })
})

describe('partition', () => {
  beforeEach(async () => {
    for (const to of ['db', 'cache']) await create({ name: to, from: 'app', to })
  })

  test.each([[['app', '/', 'db,cache']], [['app/db cache']], [['app', '/', 'db,', 'cache']]])(
    'add takes groups as %j',
    async (words) => {
      expect(await printed('partition', 'add', ...words, '--ttl', '30s')).toMatch(
        /^Added partition-\d+ \(drop\): app ↔ db, app ↔ cache; links cut: db, cache\n$/,
      )
      expect(server.network.partitions).toMatchObject([{ links: ['db', 'cache'], ttlMs: 30_000 }])
    },
  )

  test('add can be one-way and reject', async () => {
    const words = ['app', '/', 'db', '--one-way', '-m', 'reject', '-n', 'cut']
    expect(await printed('partition', 'add', ...words)).toBe('Added cut (reject): app → db; links cut: db\n')
    expect(await json('partition', 'list')).toMatchObject([{ name: 'cut', mode: 'reject', cuts: [['app', 'db']] }])
  })

  test('add of a service that there is not is refused, in the words of the server', async () => {
    expect(await failed(2, 'partition', 'add', 'app', '/', 'dbb')).toMatch(
      /^faultline: groups\.1\.0: expected one of .*, got "dbb"/,
    )
  })

  test('list shows them, heal heals one', async () => {
    await printed('partition', 'add', 'app', '/', 'db', '-n', 'one')
    await printed('partition', 'add', 'app', '/', 'cache', '-n', 'two')
    expect(await printed('partition', 'heal', 'one')).toBe('Healed one\n')
    expect(await printed('partition', 'list')).toBe(
      ['NAME  MODE  CUTS         LINKS  ENDS', 'two   drop  app ↔ cache  cache  never', ''].join('\n'),
    )
    expect(await failed(1, 'partition', 'heal', 'one')).toContain('there is no partition named "one"')
  })
})

describe('everything at once', () => {
  test('heal removes faults and partitions', async () => {
    const proxy = await create({ from: 'app', to: 'db', faults: [{ type: 'noop' }] })
    await printed('partition', 'add', 'app', '/', 'db')
    expect(await printed('heal')).toBe('Healed: 1 proxy without faults\n')
    expect([...proxy.faults]).toEqual([])
    expect(proxy.enabled).toBe(false)
  })

  test('reset enables, too', async () => {
    const proxy = await create({ faults: [{ type: 'noop' }] })
    expect(await printed('reset')).toBe('Reset: 1 proxy enabled, without faults\n')
    expect({ enabled: proxy.enabled, faults: [...proxy.faults] }).toEqual({ enabled: true, faults: [] })
  })

  test('stop refuses faults until resume', async () => {
    await create()
    expect(await json('stop')).toMatchObject({ stopped: true })
    expect(await failed(1, 'fault', 'add', 'redis', 'noop')).toContain('the emergency stop is on')
    expect(await printed('resume')).toBe('Resumed: faults can be added again\n')
    await printed('fault', 'add', 'redis', 'noop')
    expect(await printed('stop')).toBe('Stopped: no fault acts, and none can be added until "faultline resume"\n')
  })
})

describe('faults', () => {
  test('lists every type, without a server', async () => {
    const { code, stdout } = await inProcess(['faults'], { FAULTLINE_URL: 'http://127.0.0.1:1' })
    expect(code).toBe(0)
    for (const type of ['latency', 'http_abort', 'pg_error', 'reorder']) expect(stdout).toContain(`\n${type} `)
  })

  test('explains one with its attributes and its match', async () => {
    const text = await printed('faults', 'pg_error')
    expect(text).toMatch(/^pg_error {2}\(layer message; protocol postgres\)\n/)
    expect(text).toMatch(/\n {2}code= +SQLSTATE .* \(a non-empty string; required\)\n/)
    expect(text).toMatch(/\nMatch:\n {2}database= /)
    expect(text).toContain('\n  faultline fault add PROXY pg_error code=…\n')
  })

  test('explains both of a type that streams and datagrams have', async () => {
    const references = await json('faults', 'latency')
    expect(references).toMatchObject([
      { layer: 'stream', protocols: ['tcp', 'http', 'postgres'] },
      { layer: 'datagram', protocols: ['udp'], attributes: { type: 'object' } },
    ])
  })
})

describe('healthcheck', () => {
  test('exit code 0 of a server that is well', async () => {
    expect(await printed('healthcheck')).toBe('healthy\n')
    expect(await json('healthcheck')).toEqual({ status: 'ok' })
  })

  test('exit code 1 if there is none', async () => {
    const { code, stderr } = await inProcess(['healthcheck', '--host', `http://127.0.0.1:${await freePort()}`])
    expect(code).toBe(1)
    expect(stderr).toContain('ECONNREFUSED')
  })
})

describe('a server that wants a token', () => {
  const token = 'correct-horse'
  let guarded: AdminServer
  let folder: string
  beforeAll(async () => {
    guarded = await startAdminServer({ port: 0, token })
    folder = await mkdtemp(join(tmpdir(), 'faultline-token-'))
    await writeFile(join(folder, 'token'), `${token}\n`)
  })
  afterAll(async () => {
    await guarded.close()
    await rm(folder, { recursive: true })
  })

  test.each([['proxy', 'list'], ['list']])('gets it from FAULTLINE_TOKEN or --token-file: %s', async (...command) => {
    const where = { FAULTLINE_URL: guarded.url }
    expect((await inProcess(command, { ...where, FAULTLINE_TOKEN: token })).code).toBe(0)
    expect((await inProcess([...command, '--token-file', join(folder, 'token')], where)).code).toBe(0)
    const { code, stderr } = await inProcess(command, where)
    expect(code).toBe(1)
    expect(stderr).toMatch(/HTTP 401\); set FAULTLINE_TOKEN, or name a file that has the token with --token-file\n$/)
  })

  test('is asked for its health without one', async () => {
    expect((await inProcess(['healthcheck'], { FAULTLINE_URL: guarded.url })).code).toBe(0)
  })
})
