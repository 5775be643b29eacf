// Connection faults as a client's socket reports them.
import { expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { portOf, startProxied } from '../../../support/proxied.ts'
import { RawSocket } from '../../../support/sockets.ts'
import { untilTrue } from '../../../support/stream-faults.ts'

const actions = (proxied: Awaited<ReturnType<typeof startProxied>>): string[] =>
  proxied.network.injections.entries({}).map(({ fault, action }) => `${fault} ${action}`)

async function connectError(port: number): Promise<string> {
  try {
    const socket = await RawSocket.connect(port)
    return await socket.untilEnded()
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error'
  }
}

test('refuse: new connections get ECONNREFUSED, live ones go on, and it ends with the fault', async () => {
  await using proxied = await startProxied()
  const { client, server } = await proxied.connect()
  const port = portOf(proxied.proxy)
  proxied.proxy.addFault({ type: 'refuse' })
  expect(await connectError(port)).toBe('ECONNREFUSED')
  client.write('on')
  await server.untilBytes(2)
  expect(proxied.proxy.enabled).toBe(true)
  proxied.proxy.removeFault('refuse')
  await proxied.proxy.enable() // behind the turn in which it listens again
  expect(portOf(proxied.proxy)).toBe(port)
  const again = await proxied.connect()
  again.client.write('x')
  await again.server.untilBytes(1)
})

test('refuse, there from the beginning, and disabled and enabled meanwhile', async () => {
  await using proxied = await startProxied([{ type: 'refuse' }])
  const port = portOf(proxied.proxy)
  expect(await connectError(port)).toBe('ECONNREFUSED')
  await proxied.proxy.disable()
  await proxied.proxy.enable()
  expect(await connectError(port)).toBe('ECONNREFUSED')
  proxied.proxy.removeFault('refuse')
  await proxied.proxy.enable()
  await proxied.connect()
})

test.each([
  ['reset_on_accept', 'ECONNRESET'],
  ['close_on_accept', 'FIN'],
])('%s: new connections end by %s, live ones go on', async (type, ending) => {
  await using proxied = await startProxied()
  const live = await proxied.connect()
  proxied.proxy.addFault({ type })
  expect(await connectError(portOf(proxied.proxy))).toBe(ending)
  live.client.write('on')
  await live.server.untilBytes(2)
  proxied.proxy.removeFault(type)
  await proxied.connect()
  expect(proxied.upstream.sockets).toHaveLength(2)
})

test('hang_on_accept: accepted, never dialled; goes on when removed', async () => {
  await using proxied = await startProxied([{ type: 'hang_on_accept' }])
  const client = await RawSocket.connect(portOf(proxied.proxy))
  client.write('hello')
  await untilTrue(() => actions(proxied).length === 1, 'the record')
  expect(actions(proxied)).toEqual(['hang_on_accept hold'])
  expect(proxied.upstream.sockets).toHaveLength(0)
  expect(client.ending).toBe('open')
  const accepted = proxied.upstream.next()
  proxied.proxy.removeFault('hang_on_accept')
  const server = await accepted
  await server.untilBytes(5)
})

test('connect_delay: the server is dialled later', async () => {
  await using proxied = await startProxied([{ type: 'connect_delay', attributes: { delayMs: 80 } }])
  const startMs = performance.now()
  const { client, server } = await proxied.connect()
  // A timer may fire a millisecond early.
  expect(performance.now() - startMs).toBeGreaterThan(78)
  client.write('x')
  await server.untilBytes(1)
})

test('max_connections: those beyond are reset, or wait until one has ended', async () => {
  await using proxied = await startProxied([{ type: 'max_connections', attributes: { connections: 1 } }])
  const first = await proxied.connect()
  expect(await connectError(portOf(proxied.proxy))).toBe('ECONNRESET')
  proxied.proxy.updateFault('max_connections', { attributes: { beyond: 'queue' } })
  const waiting = await RawSocket.connect(portOf(proxied.proxy))
  waiting.write('later')
  await untilTrue(() => actions(proxied).includes('max_connections queue'), 'the one that waits')
  expect(proxied.upstream.sockets).toHaveLength(1)
  const next = proxied.upstream.next()
  first.client.end()
  first.server.end()
  const server = await next
  await server.untilBytes(5)
})

test.each([
  ['close', 'FIN'],
  ['reset', 'ECONNRESET'],
])('max_lifetime by %s ends both ends by %s, also of a connection that was there before', async (how, ending) => {
  await using proxied = await startProxied()
  const { client, server } = await proxied.connect()
  proxied.proxy.addFault({ type: 'max_lifetime', attributes: { lifetimeMs: 50, how } })
  expect(await client.untilEnded()).toBe(ending)
  expect(await server.untilEnded()).toBe(ending)
})

test('a limit acts on live connections by where their clients come from', async () => {
  await using proxied = await startProxied()
  const { client } = await proxied.connect()
  const attributes = { lifetimeMs: 1 }
  proxied.proxy.addFault({ type: 'max_lifetime', name: 'far', attributes, match: { clientAddress: '10.0.0.0/8' } })
  proxied.proxy.addFault({ type: 'max_lifetime', name: 'near', attributes, match: { clientAddress: '127.0.0.1' } })
  expect(await client.untilEnded()).toBe('FIN')
  expect(actions(proxied)).toEqual(['near close'])
})

test('idle_timeout: ends what is silent, not what speaks', async () => {
  await using proxied = await startProxied([{ type: 'idle_timeout', attributes: { idleMs: 200 } }])
  const silent = await proxied.connect()
  const speaking = await proxied.connect()
  const timer = setInterval(() => speaking.server.write('x'), 20)
  expect(await silent.client.untilEnded()).toBe('FIN')
  expect(speaking.client.ending).toBe('open')
  clearInterval(timer)
  expect(await speaking.client.untilEnded()).toBe('FIN')
})

test('skip, every, times and a match by address choose connections', async () => {
  const spec: FaultSpec = {
    type: 'reset_on_accept',
    skip: 1,
    every: 2,
    times: 2,
    match: { clientAddress: '127.0.0.0/8' },
  }
  await using proxied = await startProxied([spec])
  const endings: string[] = []
  for (let index = 0; index < 8; index++) {
    const before = proxied.upstream.sockets.length
    let socket: RawSocket
    try {
      socket = await RawSocket.connect(portOf(proxied.proxy))
    } catch (error) {
      endings.push((error as NodeJS.ErrnoException).code ?? 'error')
      continue
    }
    const isIn = (): boolean => proxied.upstream.sockets.length > before
    await untilTrue(() => isIn() || socket.ending !== 'open', 'what becomes of it')
    endings.push(isIn() ? 'in' : socket.ending)
    socket.destroy()
  }
  expect(endings).toEqual(['in', 'in', 'ECONNRESET', 'in', 'ECONNRESET', 'in', 'in', 'in'])
})

test.each<[string, Partial<FaultSpec>, string]>([
  ['reset_on_accept', { match: { clientAddress: 'nonsense' } }, 'match.clientAddress'],
  ['reset_on_accept', { match: { clientAddress: '10.0.0.0/40' } }, 'match.clientAddress'],
  ['reset_on_accept', { direction: 'upstream' }, 'direction'],
  ['reset_on_accept', { key: 'x' }, 'key'],
  ['max_lifetime', { attributes: { lifetimeMs: -1 } }, 'attributes.lifetimeMs'],
  ['connect_delay', { attributes: {} }, 'attributes.delayMs'],
  ['refuse', { probability: 0.5 }, 'type'],
])('%s with %j is refused by its field', async (type, more, field) => {
  await using proxied = await startProxied()
  expect(() => proxied.proxy.addFault({ type, ...more })).toThrow(field)
  expect([...proxied.proxy.faults]).toEqual([])
})

test('a change that lets a client wait on asks it once', async () => {
  await using proxied = await startProxied([{ type: 'hang_on_accept' }])
  const client = await RawSocket.connect(portOf(proxied.proxy))
  client.write('hello')
  await untilTrue(() => actions(proxied).length === 1, 'the record')
  proxied.proxy.updateFault('hang_on_accept', { every: 1 })
  expect(actions(proxied)).toHaveLength(2)
  expect(client.ending).toBe('open')
  const accepted = proxied.upstream.next()
  proxied.proxy.updateFault('hang_on_accept', { match: { clientAddress: '10.0.0.0/8' } })
  await (await accepted).untilBytes(5)
})
