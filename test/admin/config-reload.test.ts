// A configuration that changes while the server runs: what changes with it, and what must not notice.
import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadConfig } from '../../admin/config/load.ts'
import { ConfigReloader, type ReloadReport } from '../../admin/config/reload.ts'
import { Network, type FaultProxy } from '../../proxy/index.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

/** A network that follows a file. */
class Following implements AsyncDisposable {
  readonly network = new Network({ seed: 1 })
  readonly reports: ReloadReport[] = []
  readonly rejections: Error[] = []
  reloader!: ConfigReloader
  readonly path: string
  #waiters: (() => void)[] = []

  private constructor(path: string) {
    this.path = path
  }

  static async start(text: string, path = join(folder, 'faultline.yaml')): Promise<Following> {
    const following = new Following(path)
    const { network, reports, rejections } = following
    await writeFile(path, text)
    const loaded = await loadConfig(path)
    for (const spec of loaded.proxies) await network.createProxy(spec)
    following.reloader = await ConfigReloader.start({
      network,
      loaded,
      onReloaded: (report) => following.#happened(reports, report),
      onRejected: (error) => following.#happened(rejections, error),
      onUnwatched: (error) => following.#happened(rejections, error),
    })
    return following
  }

  #happened<Thing>(list: Thing[], thing: Thing): void {
    list.push(thing)
    for (const waiter of this.#waiters.splice(0)) waiter()
  }

  /** Writes the file, and waits until that has been noticed. */
  async edit(text: string): Promise<ReloadReport | Error> {
    const noticed = this.noticed()
    await writeFile(this.path, text)
    return noticed
  }

  /** The next report or rejection. To be asked for before what causes it. */
  async noticed(): Promise<ReloadReport | Error> {
    const [reports, rejections] = [this.reports.length, this.rejections.length]
    await new Promise<void>((resolve) => this.#waiters.push(resolve))
    const happened = this.reports[reports] ?? this.rejections[rejections]
    if (!happened) throw new Error('nothing has happened')
    return happened
  }

  proxy(name: string): FaultProxy {
    const proxy = this.network.proxy(name)
    if (!proxy) throw new Error(`there is no proxy ${name}`)
    return proxy
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.reloader.close()
    await this.network.close()
  }
}

let folder: string
let upstream: RawServer
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-reload-'))
  upstream = await RawServer.echo()
})
afterEach(async () => {
  await upstream.close()
  await rm(folder, { recursive: true })
})

const nothing = { created: [], removed: [], changed: [], failed: [], warnings: [], needsRestart: [] }

function proxyLines(name: string, ...more: string[]): string {
  return [`  ${name}:`, `    upstream: ${upstream.address}`, ...more.map((line) => `    ${line}`), ''].join('\n')
}

/** A proxy's line with a latency fault. */
function latency(attributes: string): string {
  return `faults: [{ type: latency, attributes: { ${attributes} } }]`
}

/** Opens connections on a proxy and has each answered. */
async function connections(proxy: FaultProxy, count: number): Promise<RawSocket[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const client = await RawSocket.connect(portOf(proxy))
      client.write('hello')
      await client.untilBytes(5)
      return client
    }),
  )
}

test("editing one proxy's fault leaves the connections of all untouched", async () => {
  const others = proxyLines('b') + proxyLines('c')
  await using following = await Following.start(`proxies:\n${proxyLines('a', latency('latency: 1'))}${others}`)
  const clients = (await Promise.all(['a', 'b', 'c'].map((name) => connections(following.proxy(name), 20)))).flat()
  const before = [...following.network.proxies].map((proxy) => [...proxy.connections])

  const edited = `proxies:\n${proxyLines('a', latency('latency: 60'))}${others}`
  expect(await following.edit(edited)).toEqual({ ...nothing, changed: ['a'] })

  expect([...following.network.proxies].map((proxy) => [...proxy.connections])).toEqual(before)
  expect([...following.network.proxies].map((proxy) => proxy.counters.acceptedConnections)).toEqual([20, 20, 20])
  expect(clients.map(({ ending }) => ending)).toEqual(clients.map(() => 'open'))
  // And the same connection is slower now: nobody has to connect anew for it.
  const startMs = performance.now()
  clients[0]?.write('again')
  await clients[0]?.untilBytes(10)
  expect(performance.now() - startMs).toBeGreaterThan(59) // timers of Node round down
  for (const client of clients) client.destroy()
})

test('proxies come and go, and change on their own', async () => {
  await using following = await Following.start(
    `proxies:\n${proxyLines('gone')}${proxyLines('moved')}${proxyLines('kept')}`,
  )
  const [kept] = await connections(following.proxy('kept'), 1)
  const [moved] = await connections(following.proxy('moved'), 1)
  const port = portOf(following.proxy('kept'))
  await using other = await RawServer.start()
  const text = `proxies:\n  moved: { upstream: "${other.address}" }\n${proxyLines('kept')}${proxyLines('new', 'protocol: http')}`
  expect(await following.edit(text)).toEqual({ ...nothing, created: ['new'], removed: ['gone'], changed: ['moved'] })
  expect([...following.network.proxies].map(({ name, protocol, upstream: to }) => [name, protocol, to])).toEqual([
    ['moved', 'tcp', other.address],
    ['kept', 'tcp', upstream.address],
    ['new', 'http', upstream.address],
  ])
  expect(await moved?.untilEnded()).toBeTruthy()
  expect([kept?.ending, portOf(following.proxy('kept'))]).toEqual(['open', port])
})

test('another protocol, option or service makes a proxy anew, with the faults that it had', async () => {
  await using following = await Following.start(
    `proxies:\n${proxyLines('a', 'faults: [{ type: latency }]')}${proxyLines('b')}`,
  )
  const listen = following.proxy('a').listen
  const lease = following.network.leases.create({ ttlMs: 60_000 })
  following.proxy('a').addFault({ type: 'noop', name: 'by-api', lease: lease.id })
  following.proxy('b').addFault({ type: 'noop', name: 'not-for-udp' })
  const text = `proxies:\n${proxyLines('a', 'protocol: http', 'from: web', 'faults: [{ type: latency }]')}${proxyLines('b', 'protocol: udp')}`
  const report = await following.edit(text)
  expect(report).toMatchObject({ changed: ['a'], failed: [{ proxy: 'b', error: { code: 'fault_not_carried' } }] })
  const a = following.proxy('a')
  expect([a.protocol, a.from, a.listen, [...a.faults].map(({ name }) => name)]).toEqual([
    'http',
    'web',
    listen,
    ['latency_downstream', 'by-api'],
  ])
  lease.end()
  expect([...a.faults].map(({ name }) => name)).toEqual(['latency_downstream'])
  expect([following.proxy('b').protocol, following.proxy('b').enabled]).toEqual(['udp', true])
})

test('faults of the API stay, and what the API has changed stays changed', async () => {
  const file = `seed: 1\nproxies:\n${proxyLines('a', latency('latency: 5'))}`
  await using following = await Following.start(file)
  const a = following.proxy('a')
  a.addFault({ type: 'noop', name: 'by-api' })
  a.updateFault('latency_downstream', { attributes: { latency: 7 } })
  await following.network.createProxy({ name: 'api', upstream: upstream.address })
  const edited = file.replace('seed: 1', 'seed: 2').replace('}]', '}, { type: slicer }]')
  expect(await following.edit(edited)).toEqual({
    ...nothing,
    changed: ['a'],
    needsRestart: ['seed'],
  })
  expect([...a.faults].map(({ name, attributes }) => [name, attributes['latency']])).toEqual([
    ['latency_downstream', 7],
    ['by-api', undefined],
    ['slicer_downstream', undefined],
  ])
  expect(following.network.proxy('api')).toBeDefined()
})

test('attributes that the file does not have any more are as they were by default', async () => {
  const fuller = latency('latency: 5, jitter: 3, correlation: 0.5')
  await using following = await Following.start(`proxies:\n${proxyLines('a', fuller)}`)
  const [fault] = following.proxy('a').faults
  await following.edit(`proxies:\n${proxyLines('a', latency('latency: 6'))}`)
  expect([...following.proxy('a').faults]).toEqual([fault])
  expect(fault?.attributes).toEqual({ latency: 6, jitter: 0 })
})

test.each([
  ['broken YAML', 'proxies: {', /faultline\.yaml:1:11: expected YAML/],
  ['an unknown field', 'proxies:\n  a: { upstream: "x:1", lisen: "x:1" }', /2:25: proxies\.a\.lisen: unknown field/],
  ['nothing in it', '', /expected an object with proxies/],
])('a file with %s changes nothing and is reported; once mended it holds', async (_name, broken, message) => {
  const file = `proxies:\n${proxyLines('a')}`
  await using following = await Following.start(file)
  const [client] = await connections(following.proxy('a'), 1)
  const error = await following.edit(broken)
  expect(error).toMatchObject({ name: 'ConfigError', message: expect.stringMatching(message) })
  expect([...following.network.proxies]).toHaveLength(1)
  expect([client?.ending, following.proxy('a').connections.size]).toEqual(['open', 1])
  expect(await following.edit(`${file}${proxyLines('b')}`)).toEqual({ ...nothing, created: ['b'] })
})

test('a port that somebody else has fails its proxy only, and is tried again', async () => {
  const other = await RawServer.start()
  const { address } = other
  const taken = `listen: ${address}`
  await using following = await Following.start(`proxies:\n${proxyLines('a')}${proxyLines('b')}`)
  const edited = [proxyLines('a', taken), proxyLines('b', 'enabled: true'), proxyLines('c', taken)]
  const report = await following.edit(`proxies:\n${edited.join('')}`)
  expect(report).toMatchObject({
    changed: ['b'],
    created: [],
    failed: [
      { proxy: 'a', error: { code: 'listen_failed' } },
      { proxy: 'c', error: { code: 'listen_failed' } },
    ],
  })
  expect([following.proxy('a').enabled, following.proxy('b').enabled]).toEqual([false, true])
  // Taken back in the file, it is as it was.
  expect(await following.edit(`proxies:\n${proxyLines('a')}${proxyLines('b', 'enabled: true')}`)).toMatchObject({
    changed: ['a'],
    failed: [],
  })
  expect(following.proxy('a').enabled).toBe(true)
  await following.edit(`proxies:\n${edited.join('')}`)
  await other.close()
  const tried = following.noticed()
  await following.reloader.reload()
  // Both want it, and a comes first.
  expect(await tried).toMatchObject({ changed: ['a'], failed: [{ proxy: 'c' }] })
  expect(following.proxy('a').listen).toBe(address)
})

test('proxies may exchange their ports', async () => {
  const [one, two] = [await RawServer.start(), await RawServer.start()]
  const ports = [one.address, two.address]
  await Promise.all([one.close(), two.close()])
  const file = ['a', 'b'].map((name, index) => proxyLines(name, `listen: ${ports[index]}`)).join('')
  await using following = await Following.start(`proxies:\n${file}`)
  const exchanged = ['a', 'b'].map((name, index) => proxyLines(name, `listen: ${ports[1 - index]}`)).join('')
  expect(await following.edit(`proxies:\n${exchanged}`)).toEqual({ ...nothing, changed: ['a', 'b'] })
  expect([following.proxy('a').listen, following.proxy('b').listen]).toEqual(ports.toReversed())
})

test('under an emergency stop nothing takes hold until it is taken back', async () => {
  const file = `proxies:\n${proxyLines('a')}`
  await using following = await Following.start(file)
  following.network.stop()
  const error = await following.edit(`proxies:\n${proxyLines('a', 'faults: [{ type: noop }]')}`)
  expect(error).toMatchObject({ code: 'stopped' })
  const noticed = following.noticed()
  following.network.resume()
  expect(await noticed).toEqual({ ...nothing, changed: ['a'] })
  expect([...following.proxy('a').faults]).toHaveLength(1)
})

test('a file that is put in the place of the old one is noticed, as editors do it', async () => {
  await using following = await Following.start(`proxies:\n${proxyLines('a')}`)
  for (const name of ['b', 'c']) {
    const noticed = following.noticed()
    await writeFile(join(folder, 'new'), `proxies:\n${proxyLines(name)}`)
    await rename(join(folder, 'new'), following.path)
    expect(await noticed).toMatchObject({ created: [name] })
  }
})

test('so is a link that leads elsewhere, as Kubernetes does it', async () => {
  for (const name of ['a', 'b']) await writeFile(join(folder, name), `proxies:\n${proxyLines(name)}`)
  await symlink('a', join(folder, 'link'))
  await using following = await Following.start(`proxies:\n${proxyLines('a')}`, join(folder, 'link'))
  const noticed = following.noticed()
  await symlink('b', join(folder, 'next'))
  await rename(join(folder, 'next'), following.path)
  expect(await noticed).toEqual({ ...nothing, created: ['b'], removed: ['a'] })
})

test('what is written anew as it was is no change', async () => {
  const file = `proxies:\n${proxyLines('a')}`
  await using following = await Following.start(file)
  await writeFile(following.path, file)
  // Whatever comes of that would have come before this.
  await following.edit(`${file}${proxyLines('b')}`)
  expect(following.reports).toEqual([{ ...nothing, created: ['b'] }])
})

test("Toxiproxy's form is followed, too", async () => {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, upstream: upstream.address }))
  await using following = await Following.start(JSON.stringify([a, b]), join(folder, 'toxiproxy.json'))
  expect(await following.edit(JSON.stringify([b, c]))).toEqual({ ...nothing, created: ['c'], removed: ['a'] })
})
