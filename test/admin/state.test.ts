// The state file: what of a network comes back, and what a changed configuration means for it.
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { beginWith, finishBeginning, type RestoreOptions } from '../../admin/state/restore.ts'
import { readState } from '../../admin/state/state-file.ts'
import { StateKeeper } from '../../admin/state/state-keeper.ts'
import { ManualClock, Network, type NetworkOptions, type ProxySpec } from '../../proxy/index.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-state-'))
  path = join(folder, 'state.json')
})
afterEach(() => rm(folder, { recursive: true }))

interface Server extends AsyncDisposable {
  readonly network: Network
  readonly keeper: StateKeeper
  readonly warnings: readonly string[]
}

function fail(error: Error): never {
  throw error
}

/** As `faultline serve --state` does it: `config` is what --config says. */
async function start(
  config?: readonly ProxySpec[],
  options: NetworkOptions = {},
  restore: Partial<RestoreOptions> = {},
): Promise<Server> {
  const beginning = beginWith(await readState(path), { config, ...restore })
  const network = new Network({ seed: 1, ...options })
  for (const spec of beginning.proxies) await network.createProxy(spec)
  const warnings = [...beginning.warnings, ...finishBeginning(network, beginning)]
  const keeper = await StateKeeper.start({ path, network, config: () => config ?? [], onError: fail })
  return {
    network,
    keeper,
    warnings,
    async [Symbol.asyncDispose]() {
      await keeper.close()
      await network.close()
    },
  }
}

/** All that is to come back, as far as people can see it. */
function view(network: Network): unknown {
  return [...network.proxies].map((proxy) => ({
    name: proxy.name,
    protocol: proxy.protocol,
    options: proxy.protocolOptions,
    listen: proxy.listen,
    upstream: proxy.upstream,
    enabled: proxy.enabled,
    services: [proxy.from, proxy.to],
    faults: [...proxy.faults].map(({ name, type, settings }) => ({
      name,
      type,
      settings: { ...settings, rule: null },
    })),
  }))
}

describe('after a restart', () => {
  test('proxies, faults and partitions are as they were, with the ports that the system chose', async () => {
    let before: unknown
    {
      await using server = await start()
      const { network } = server
      const faults = [
        { type: 'latency', probability: 0.5, match: { clientAddress: '10.0.0.0/8' }, attributes: { latency: 5 } },
        { type: 'noop', name: 'counted', skip: 1, times: 2, every: 3, enabled: false },
        { type: 'max_connections', attributes: { connections: 7 } },
      ]
      await network.createProxy({ name: 'a', upstream: 'x:1', from: 'web', to: 'db', faults })
      const abort = {
        type: 'http_abort',
        match: { path: { regex: '^/v1' } },
        attributes: { status: 501 },
        key: 'x-user',
      }
      await network.createProxy({ name: 'b', upstream: 'x:1', protocol: 'http', strict: true, faults: [abort] })
      await network.createProxy({ name: 'c', upstream: 'nonsense', protocol: 'udp', enabled: false })
      network.partition({ name: 'cut', groups: [['web'], ['db']], oneWay: true })
      before = view(network)
    }
    await using server = await start()
    expect(server.warnings).toEqual([])
    expect(view(server.network)).toEqual(before)
    expect(server.network.partitions.map(({ name, cuts, links }) => ({ name, cuts, links }))).toEqual([
      { name: 'cut', cuts: [['web', 'db']], links: ['a'] },
    ])
    server.network.heal()
    expect([...server.network.proxies].flatMap((proxy) => [...proxy.faults])).toEqual([])
  })

  test('secrets are there, and only the owner of the file can read them', async () => {
    const [certificate, key] = ['postgres-certificate.pem', 'postgres-certificate-key.pem'].map((name) =>
      readFileSync(join(import.meta.dirname, '..', 'support', name), 'utf8'),
    )
    const tls = { protocol: 'postgres', tls: 'client_only', tlsCertificate: certificate!, tlsKey: key! } as const
    {
      await using server = await start()
      await server.network.createProxy({ name: 'a', upstream: 'x:1', ...tls })
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await using server = await start()
    expect(server.network.proxy('a')?.optionsWithSecrets()).toMatchObject({ tlsKey: key })
  })

  test('an emergency stop still holds', async () => {
    {
      await using server = await start()
      server.network.stop()
    }
    await using server = await start([{ name: 'a', upstream: 'x:1', faults: [{ type: 'noop', name: 'noop' }] }])
    expect(server.network.stopped).toBe(true)
    expect([...(server.network.proxy('a')?.faults ?? [])]).toEqual([])
  })

  test('faults of leases are gone: whoever held them does not know this server', async () => {
    {
      await using server = await start()
      const proxy = await server.network.createProxy({ name: 'a', upstream: 'x:1' })
      const lease = server.network.leases.create({ ttlMs: 60_000 })
      proxy.addFault({ type: 'noop', name: 'held', lease: lease.id })
      proxy.addFault({ type: 'noop', name: 'free' })
    }
    await using server = await start()
    expect([...(server.network.proxy('a')?.faults ?? [])].map(({ name }) => name)).toEqual(['free'])
  })

  test('what was removed last does not come back, though the server heals everything when it ends', async () => {
    {
      await using server = await start()
      const proxy = await server.network.createProxy({ name: 'a', upstream: 'x:1' })
      proxy.addFault({ type: 'noop', name: 'stays' })
      proxy.addFault({ type: 'noop', name: 'goes' })
      proxy.removeFault('goes')
    }
    await using server = await start()
    expect([...(server.network.proxy('a')?.faults ?? [])].map(({ name }) => name)).toEqual(['stays'])
  })
})

const hourMs = 3_600_000

/** A server with a fault and a partition that end by themselves, and one fault that does not, which then ends. */
async function saveAt(clock: ManualClock, ttlMs: number, passedMs: number): Promise<void> {
  await using server = await start([], { clock })
  const proxy = await server.network.createProxy({ name: 'a', upstream: 'x:1', from: 'web', to: 'db' })
  proxy.addFault({ type: 'noop', name: 'short', ttlMs })
  proxy.addFault({ type: 'noop', name: 'long' })
  server.network.partition({ name: 'cut', groups: [['web'], ['db']], ttlMs })
  clock.advance(passedMs)
}

describe('times to live', () => {
  test('go on while the server is away', async () => {
    const clock = new ManualClock()
    await saveAt(clock, hourMs, 600_000)
    const nowMs = clock.wallTimeMs() + 1_200_000
    await using server = await start(undefined, { clock }, { nowMs })
    expect(server.network.proxy('a')?.fault('short')?.ttlMs).toBe(hourMs - 1_800_000)
    expect(server.network.partitions[0]?.ttlMs).toBe(hourMs - 1_800_000)
    expect(server.network.proxy('a')?.fault('long')?.ttlMs).toBeUndefined()
  })

  test('that are up meanwhile are up', async () => {
    const clock = new ManualClock()
    await saveAt(clock, hourMs, 0)
    await using server = await start(undefined, { clock }, { nowMs: clock.wallTimeMs() + hourMs })
    expect(server.network.proxy('a')?.fault('short')).toBeUndefined()
    expect(server.network.partitions).toEqual([])
    expect(server.network.proxy('a')?.fault('long')).toBeDefined()
  })

  test('are not longer than the network allows, though the wall clock has been set back', async () => {
    const clock = new ManualClock()
    await saveAt(clock, hourMs, 0)
    const limits = { maxTtlMs: 2 * hourMs }
    const nowMs = clock.wallTimeMs() - 100 * hourMs
    await using server = await start(undefined, { clock, ...limits }, { nowMs, ...limits })
    expect(server.network.proxy('a')?.fault('short')?.ttlMs).toBe(2 * hourMs)
  })
})

/** What a configuration file says. */
function file(latency: number): ProxySpec[] {
  return [
    { name: 'a', upstream: 'x:1', faults: [{ type: 'latency', name: 'slow', attributes: { latency } }] },
    { name: 'b', upstream: 'x:1' },
  ]
}

describe('with a configuration file', () => {
  test('changes by the API outlive a restart, and so do changes of the file', async () => {
    {
      await using server = await start(file(5))
      await server.network.removeProxy('b')
      await server.network.createProxy({ name: 'api', upstream: 'x:1' })
      await server.network.proxy('a')?.update({ upstream: 'by-api:1' })
      server.network.proxy('a')?.updateFault('slow', { attributes: { latency: 7 } })
    }
    {
      // The file is as it was: all that the API has done holds.
      await using server = await start(file(5))
      expect([...server.network.proxies].map(({ name, upstream }) => [name, upstream])).toEqual([
        ['a', 'by-api:1'],
        ['api', 'x:1'],
      ])
      expect(server.network.proxy('a')?.fault('slow')?.attributes['latency']).toBe(7)
    }
    // Meanwhile somebody has edited the file: what has been edited holds, and nothing else.
    await using server = await start([...file(9), { name: 'c', upstream: 'x:1' }])
    expect([...server.network.proxies].map(({ name, upstream }) => [name, upstream])).toEqual([
      ['a', 'by-api:1'],
      ['api', 'x:1'],
      ['c', 'x:1'],
    ])
    expect(server.network.proxy('a')?.fault('slow')?.attributes['latency']).toBe(9)
  })

  test('that is not given any more, its proxies stay', async () => {
    await (await start(file(5)))[Symbol.asyncDispose]()
    await using server = await start()
    expect([...server.network.proxies].map(({ name }) => name)).toEqual(['a', 'b'])
  })
})

describe('saving', () => {
  test('happens soon after a change, by itself', async () => {
    await using server = await start()
    await server.network.createProxy({ name: 'a', upstream: 'x:1' })
    await expect.poll(async () => (await readState(path))?.proxies.map(({ name }) => name)).toEqual(['a'])
    server.network.proxy('a')?.addFault({ type: 'noop', name: 'later' })
    await expect
      .poll(async () => (await readState(path))?.proxies[0]?.faults.map(({ name }) => name))
      .toEqual(['later'])
  })

  test('leaves no other file behind, and a link a link', async () => {
    await symlink('elsewhere.json', path)
    await writeFile(
      join(folder, 'elsewhere.json'),
      JSON.stringify({ version: 1, stopped: false, config: [], proxies: [], partitions: [] }),
    )
    // What a process leaves that was killed while it saved.
    await writeFile(join(folder, '.elsewhere.json.tmp'), '{"version"')
    {
      await using server = await start()
      await server.network.createProxy({ name: 'a', upstream: 'x:1' })
    }
    expect((await readdir(folder)).toSorted()).toEqual(['elsewhere.json', 'state.json'])
    expect(await readFile(join(folder, 'elsewhere.json'), 'utf8')).toContain('"a"')
  })

  test('into a folder that there is not fails at the start', async () => {
    path = join(folder, 'none', 'state.json')
    await expect(start()).rejects.toThrow('ENOENT')
  })

  test('that fails later is reported, and tried again with the next change', async () => {
    const errors: Error[] = []
    await using network = new Network()
    const inner = await mkdtemp(join(folder, 'inner-'))
    const keeper = await StateKeeper.start({ path: join(inner, 's'), network, onError: (error) => errors.push(error) })
    await rm(inner, { recursive: true })
    await network.createProxy({ name: 'a', upstream: 'x:1' })
    await expect.poll(() => errors).toMatchObject([{ code: 'ENOENT' }])
    await mkdir(inner)
    await network.createProxy({ name: 'b', upstream: 'x:1' })
    await expect
      .poll(async () => (await readState(join(inner, 's')))?.proxies.map(({ name }) => name))
      .toEqual(['a', 'b'])
    await keeper.close()
  })
})

describe('a state file that can not be used is no state file', () => {
  test('that is not there', async () => {
    expect(await readState(path)).toBeUndefined()
  })

  const state = { version: 1, stopped: false, config: [], proxies: [], partitions: [] }
  test.each([
    ['', /state: .*state\.json: expected what --state has written: .*; to start without it, move it away$/],
    ['{"version": 1', /expected what --state has written/],
    ['[]', /expected an object/],
    [JSON.stringify({ ...state, version: 2 }), /version: expected 1, got 2/],
    [JSON.stringify({ ...state, proxies: [{ name: 5 }] }), /proxies\.0/],
    [JSON.stringify({ ...state, more: 1 }), /more: unknown field/],
  ])('%j', async (text, message) => {
    await writeFile(path, text)
    await expect(readState(path)).rejects.toMatchObject({
      code: 'invalid_value',
      message: expect.stringMatching(message),
    })
  })

  test('a fault in it that is not possible any more is left out, with a warning', async () => {
    const faults = [
      { type: 'was_there_once', name: 'old' },
      { type: 'noop', name: 'good' },
    ]
    await writeFile(path, JSON.stringify({ ...state, proxies: [{ name: 'a', upstream: 'x:1', faults }] }))
    await using server = await start()
    expect(server.warnings).toEqual([
      expect.stringMatching(/^fault "old" of proxy "a" is not restored: type: unknown fault type "was_there_once"/),
    ])
    expect([...(server.network.proxy('a')?.faults ?? [])].map(({ name }) => name)).toEqual(['good'])
  })
})
