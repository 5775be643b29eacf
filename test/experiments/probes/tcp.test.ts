import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createProbe } from '../../../experiments/probes/create.ts'
import type { TcpProbeSpec } from '../../../experiments/probes/tcp.ts'
import { freePort, RawServer } from '../../support/sockets.ts'

const never = new AbortController().signal

function probeOf(spec: Omit<TcpProbeSpec, 'kind' | 'name'>) {
  return createProbe({ kind: 'tcp', name: 'port', ...spec })
}

test('a port that accepts is good, one that does not is not', async () => {
  await using server = await RawServer.start()
  await using good = probeOf({ address: server.address })
  expect(await good.run(never)).toEqual({ good: true, observed: { kind: 'tcp', received: '' } })
  // The connection is closed at once.
  expect(await server.sockets[0]!.untilEnded()).toBe('FIN')
  await using refused = probeOf({ address: `127.0.0.1:${await freePort()}` })
  expect(await refused.run(never)).toEqual({ good: false, reason: 'ECONNREFUSED' })
})

test('a banner may come in parts, and in answer to what was sent', async () => {
  await using server = await RawServer.start()
  await using probe = probeOf({ address: server.address, send: 'PING\r\n', expect: { banner: '+PONG' } })
  const accepted = server.next()
  const running = probe.run(never)
  const socket = await accepted
  await socket.untilBytes(6)
  expect(socket.text).toBe('PING\r\n')
  socket.write('+PO')
  await nextTurn()
  socket.write('NG\r\n')
  expect(await running).toMatchObject({ good: true, observed: { received: '+PONG\r\n' } })
})

test.each([
  ['', 'closed without a banner'],
  ['-ERR', 'closed after another banner'],
])('a server that says %j and closes', async (said, reason) => {
  await using server = await RawServer.start((socket) => socket.end(said))
  await using probe = probeOf({ address: server.address, expect: { banner: '/^\\+OK/' } })
  expect(await probe.run(never)).toMatchObject({ good: false, reason })
})

test('a banner that does not come is a timeout', async () => {
  await using server = await RawServer.start()
  await using probe = probeOf({ address: server.address, timeoutMs: 50, expect: { banner: 'hello' } })
  expect(await probe.run(never)).toEqual({ good: false, reason: 'timeout' })
  expect(await server.sockets[0]!.untilEnded()).toBe('FIN')
})

test.each([
  ['localhost', 'address: expected host:port'],
  [':80', 'address: expected host:port with a port above 0'],
  ['localhost:0', 'address: expected host:port with a port above 0'],
])('the address %s is refused', (address, message) => {
  expect(() => probeOf({ address })).toThrow(message)
})
