import { describe, expect, test } from 'vitest'
import { Network, shapes, type PartitionSpec } from '../../proxy/index.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'
import { untilTrue } from '../support/stream-faults.ts'

/** A link from `app` to `db`, and one from `db` back to `app`. */
async function linked() {
  const upstream = await RawServer.start()
  const network = new Network({ seed: 1 })
  const link = await network.createProxy({ name: 'app-db', from: 'app', to: 'db', upstream: upstream.address })
  const back = await network.createProxy({ name: 'db-app', from: 'db', to: 'app', upstream: upstream.address })
  return {
    network,
    link,
    back,
    upstream,
    async connect(proxy = link) {
      const accepted = upstream.next()
      const client = await RawSocket.connect(portOf(proxy))
      return { client, server: await accepted }
    },
    async [Symbol.asyncDispose]() {
      await network.close()
      await upstream.close()
    },
  }
}

const actsOf = (network: Network): string[] =>
  network.injections.entries({}).map(({ fault, action }) => `${fault} ${action}`)

/** Long enough for a byte that is not held to come through. */
const STILL_MS = 60

describe('drop', () => {
  test('nothing passes, nothing is lost: all arrives in order after healing, FIN included', async () => {
    await using net = await linked()
    const { client, server } = await net.connect()
    client.write('before ')
    await server.untilBytes(7)
    const cut = net.network.partition({ groups: [['app'], ['db']] })
    expect(cut.links).toEqual(['app-db', 'db-app'])
    client.end('during')
    server.write('answer')
    await untilTrue(() => actsOf(net.network).length === 2, 'both ways to be held')
    await expect(client.untilBytes(1, STILL_MS)).rejects.toThrow('waited')
    expect(server.text).toBe('before ')
    cut.heal()
    await Promise.all([server.untilBytes(13), client.untilBytes(6)])
    expect(server.text).toBe('before during')
    expect(await server.untilEnded()).toBe('FIN')
    expect(net.network.partitions).toEqual([])
  })

  test('new connections hang, and go through after healing', async () => {
    await using net = await linked()
    const cut = net.network.partition({ groups: [['app'], ['db']], name: 'cable' })
    const client = await RawSocket.connect(portOf(net.link))
    client.write('hello')
    await untilTrue(() => actsOf(net.network).includes('cable:hang_on_accept hold'), 'the one that hangs')
    expect(net.upstream.sockets).toHaveLength(0)
    const accepted = net.upstream.next()
    cut.heal()
    const server = await accepted
    await server.untilBytes(5)
  })

  test('one way: the other way goes on', async () => {
    await using net = await linked()
    const { client, server } = await net.connect()
    const cut = net.network.partition({ groups: [['app'], ['db']], oneWay: true })
    client.write('unheard')
    server.write('heard')
    await client.untilBytes(5)
    await expect(server.untilBytes(1, STILL_MS)).rejects.toThrow('waited')
    cut.heal()
    await server.untilBytes(7)
  })

  test('two that cut the same link: it is whole when both are healed', async () => {
    await using net = await linked()
    const { client, server } = await net.connect()
    const first = net.network.partition({ groups: [['app'], ['db']] })
    const second = net.network.partition({ groups: [['db'], ['app']] })
    client.write('x')
    first.heal()
    await expect(server.untilBytes(1, STILL_MS)).rejects.toThrow('waited')
    second.heal()
    await server.untilBytes(1)
  })

  test('a link that is created during it is cut, too', async () => {
    await using net = await linked()
    net.network.partition({ groups: [['app'], ['db']] })
    const late = await net.network.createProxy({
      name: 'late',
      from: 'app',
      to: 'db',
      upstream: net.upstream.address,
    })
    await RawSocket.connect(portOf(late))
    await untilTrue(() => net.network.injections.entries({ proxy: 'late' }).length === 1, 'the one that hangs')
    net.network.heal()
    expect(net.network.partitions).toEqual([])
    expect([...late.faults]).toEqual([])
  })
})

test('reject: live connections get RST at both ends, new ones are refused, until it is healed', async () => {
  await using net = await linked()
  const { client, server } = await net.connect()
  client.write('x')
  await server.untilBytes(1) // the proxy knows, too, that the server has accepted
  const cut = net.network.partition({ groups: [['app'], ['db']], mode: 'reject' })
  expect(await client.untilEnded()).toBe('ECONNRESET')
  expect(await server.untilEnded()).toBe('ECONNRESET')
  await expect(RawSocket.connect(portOf(net.link))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  cut.heal()
  await net.link.enable() // behind the turn in which it listens again
  await net.connect()
})

test('links between others are not concerned', async () => {
  await using net = await linked()
  const other = await net.network.createProxy({ name: 'o', from: 'app', to: 'cache', upstream: net.upstream.address })
  const cut = net.network.partition({ groups: [['app'], ['db']] })
  const { client, server } = await net.connect(other)
  client.write('x')
  await server.untilBytes(1)
  expect(cut.links).not.toContain('o')
})

describe('shapes', () => {
  const nodes = ['n1', 'n2', 'n3', 'n4', 'n5']

  /** Whom each node hears, itself left out. */
  async function hears(spec: PartitionSpec): Promise<Record<string, string[]>> {
    await using network = new Network({ seed: 1 })
    for (const from of nodes) {
      for (const to of nodes) {
        if (from === to) continue
        await network.createProxy({ name: `${from} ${to}`, from, to, upstream: '127.0.0.1:1', enabled: false })
      }
    }
    const cut = new Set(network.partition(spec).links)
    return Object.fromEntries(nodes.map((to) => [to, nodes.filter((from) => from !== to && !cut.has(`${from} ${to}`))]))
  }

  test('isolate', async () => {
    expect(await hears(shapes.isolate('n2', nodes))).toEqual({
      n1: ['n3', 'n4', 'n5'],
      n2: [],
      n3: ['n1', 'n4', 'n5'],
      n4: ['n1', 'n3', 'n5'],
      n5: ['n1', 'n3', 'n4'],
    })
  })

  test('halves', async () => {
    expect(await hears(shapes.halves(nodes))).toEqual({
      n1: ['n2'],
      n2: ['n1'],
      n3: ['n4', 'n5'],
      n4: ['n3', 'n5'],
      n5: ['n3', 'n4'],
    })
  })

  test('bridge', async () => {
    expect(await hears(shapes.bridge(nodes))).toEqual({
      n1: ['n2', 'n3'],
      n2: ['n1', 'n3'],
      n3: ['n1', 'n2', 'n4', 'n5'],
      n4: ['n3', 'n5'],
      n5: ['n3', 'n4'],
    })
  })

  test('a ring of majorities: each hears two others, no two the same', async () => {
    const heard = await hears(shapes.majoritiesRing(nodes))
    expect(heard).toEqual({ n1: ['n2', 'n5'], n2: ['n1', 'n3'], n3: ['n2', 'n4'], n4: ['n3', 'n5'], n5: ['n1', 'n4'] })
  })
})

test.each<[object, string]>([
  [{}, 'groups'],
  [{ groups: [['app']] }, 'groups'],
  [{ groups: [['app'], ['nobody']] }, 'groups.1.0'],
  [{ cuts: [['app', 'nobody']] }, 'cuts.0.1'],
  [{ groups: [['app'], ['db']], cuts: [['app', 'db']] }, 'groups'],
  [{ cuts: [['app', 'db']], oneWay: true }, 'oneWay'],
  [{ groups: [['app'], ['db']], mode: 'melt' }, 'mode'],
  [{ groups: [['app'], ['db']], side: 1 }, 'side'],
])('%j is refused by its field, and nothing is cut', async (spec, field) => {
  await using net = await linked()
  expect(() => net.network.partition(spec as PartitionSpec)).toThrow(field)
  expect([...net.link.faults]).toEqual([])
  expect(net.network.partitions).toEqual([])
})

test('a name can be used again after healing, not before', async () => {
  await using net = await linked()
  const spec = { groups: [['app'], ['db']], name: 'one' }
  const cut = net.network.partition(spec)
  expect(() => net.network.partition(spec)).toThrow('name: expected')
  cut.heal()
  net.network.partition(spec)
})
