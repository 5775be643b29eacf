// Which connections a stream fault acts on: by match, skip, every, times.
import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../proxy/index.ts'
import { startProxied, portOf, type Proxied } from '../support/proxied.ts'
import type { RawSocket } from '../support/sockets.ts'

/** Cuts each connection that it acts on as soon as the client has said something. */
const cut: FaultSpec = { type: 'limit_data', direction: 'upstream', attributes: { bytes: 0 } }

/** Opens connections one after the other, and tells for each whether it was cut. */
async function cutOnes(proxied: Proxied, count: number): Promise<boolean[]> {
  const cuts: boolean[] = []
  for (let index = 0; index < count; index++) {
    const { client, server } = await proxied.connect()
    client.write('x')
    await server.until(() => server.receivedBytes > 0 || server.ending !== 'open', 'a byte or the end')
    cuts.push(server.receivedBytes === 0)
    client.destroy()
  }
  return cuts
}

test.each([
  [{ skip: 2 }, '..xxxx'],
  [{ every: 2 }, '.x.x.x'],
  [{ times: 2 }, 'xx....'],
  [{ skip: 1, every: 2, times: 2 }, '..x.x.'],
  [{ match: { connection: 3 } }, '..x...'],
  [{ match: { connection: [1, 6] } }, 'x....x'],
  [{ match: { clientAddress: '127.0.0.0/8' }, skip: 5 }, '.....x'],
  [{ match: { clientAddress: ['10.0.0.0/8', '::1'] } }, '......'],
] as const)('%j acts on %s', async (chosen, expected) => {
  await using proxied = await startProxied([{ ...cut, ...chosen }])
  const cuts = await cutOnes(proxied, expected.length)
  expect(cuts.map((isCut) => (isCut ? 'x' : '.')).join('')).toBe(expected)
})

test('only connections that match are counted', async () => {
  await using proxied = await startProxied([{ ...cut, match: { connection: [2, 3, 5] }, every: 2 }])
  expect(await cutOnes(proxied, 6)).toEqual([false, false, true, false, false, false])
})

test('by the port that clients have connected to', async () => {
  await using proxied = await startProxied()
  const port = portOf(proxied.proxy)
  proxied.proxy.addFault({ ...cut, match: { localPort: port === 1 ? 2 : port - 1 } })
  expect(await cutOnes(proxied, 1)).toEqual([false])
  proxied.proxy.removeFault('limit_data_upstream')
  proxied.proxy.addFault({ ...cut, match: { localPort: port } })
  expect(await cutOnes(proxied, 1)).toEqual([true])
})

test('live connections count in their order, and what has been chosen stays so when the counts are changed', async () => {
  await using proxied = await startProxied()
  const first = await proxied.connect()
  const second = await proxied.connect()
  const answered = async (): Promise<boolean[]> =>
    Promise.all(
      [first, second].map(async ({ client, server }) => {
        const bytes = client.receivedBytes
        server.write('x')
        return client.untilBytes(bytes + 1, 60).then(
          () => true,
          () => false,
        )
      }),
    )
  proxied.proxy.addFault({ type: 'stall', name: 's', times: 1 })
  expect(await answered()).toEqual([false, true])
  proxied.proxy.updateFault('s', { times: 2 })
  expect(await answered()).toEqual([false, true])
  proxied.proxy.removeFault('s')
  await first.client.untilBytes(2)
})

test('a match that no longer fits lets the connection go on with what was held', async () => {
  await using proxied = await startProxied([{ type: 'stall', name: 's', match: { connection: 1 } }])
  const { client, server } = await proxied.connect()
  server.write('held')
  await expect(client.untilBytes(1, 60)).rejects.toThrow('waited')
  proxied.proxy.updateFault('s', { match: { connection: 2 } })
  await client.untilBytes(4)
})

test('both directions of a connection are chosen together', async () => {
  await using proxied = await startProxied([{ type: 'stall', name: 's', direction: 'both', every: 2 }])
  for (const stalled of [false, true, false]) {
    const { client, server } = await proxied.connect()
    client.write('x')
    server.write('x')
    const arrived = (socket: RawSocket) => socket.untilBytes(1, stalled ? 60 : undefined)
    const results = await Promise.allSettled([arrived(client), arrived(server)])
    const expected = stalled ? 'rejected' : 'fulfilled'
    expect(results.map(({ status }) => status)).toEqual([expected, expected])
  }
})

describe('refused, naming the field', () => {
  test.each([
    [{ match: { clientAddress: 'localhost' } }, 'match.clientAddress: expected IP addresses or networks'],
    [{ match: { clientAddress: '10.0.0.0/33' } }, 'match.clientAddress: expected IP addresses or networks'],
    [{ match: { connection: 0 } }, 'match.connection: expected'],
    [{ match: { localPort: 70_000 } }, 'match.localPort: expected'],
    [{ match: { path: '/' } }, 'match.path: unknown field'],
    [{ skip: -1 }, 'skip: expected'],
    [{ every: 0 }, 'every: expected'],
    [{ times: 0 }, 'times: expected'],
    [{ key: 'x-user' }, 'key: expected nothing, as connections have no keys'],
    [{ probability: 1.5 }, 'probability: expected'],
  ])('%j', async (wrong, message) => {
    await using proxied = await startProxied()
    expect(() => proxied.proxy.addFault({ ...cut, ...wrong })).toThrow(message)
    expect([...proxied.proxy.faults]).toEqual([])
  })
})
