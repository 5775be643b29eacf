import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { Network, type FaultSpec } from '../../../../proxy/index.ts'
import { portOf } from '../../../support/proxied.ts'
import { RawServer, RawSocket } from '../../../support/sockets.ts'
import { startSse } from '../../../support/sse-proxied.ts'
import { acts, untilTrue } from '../../../support/stream-faults.ts'

const drop = (attributes: Record<string, number> = {}, more: Partial<FaultSpec> = {}): FaultSpec => ({
  type: 'sse_drop',
  name: 'lossy',
  attributes,
  ...more,
})

test.concurrent('drops so many events behind the first ones; comments pass', async () => {
  await using sse = await startSse([drop({ afterEvents: 1, count: 2 })])
  const stream = await sse.open()
  stream.send('1')
  stream.response.write(': keep-alive\n\n')
  stream.send('2')
  stream.response.write('event: e\nid: 3\nda')
  stream.response.write('ta: 3\n\n')
  stream.response.write(': keep-alive\n\n')
  stream.send('4', '5')
  stream.response.end()
  expect(await stream.untilEnded()).toBe('end')
  expect(stream.text).toBe('data: 1\n\n: keep-alive\n\n: keep-alive\n\ndata: 4\n\ndata: 5\n\n')
  expect(acts(sse.network)).toEqual([
    { action: 'drop', detail: { request: 1, method: 'GET', path: '/events', status: 200, event: 2, bytes: 9 } },
    { action: 'drop', detail: { request: 1, method: 'GET', path: '/events', status: 200, event: 3, bytes: 24 } },
  ])
})

test.concurrent('drops all that follow by default', async () => {
  await using sse = await startSse([drop()])
  const stream = await sse.open()
  stream.send('1', '2', '3')
  stream.response.end(': end\n\n')
  await stream.untilEnded()
  expect(stream.text).toBe(': end\n\n')
})

test.concurrent('added to a stream that is on its way acts on the next event, and removed on none', async () => {
  await using sse = await startSse()
  const stream = await sse.open()
  stream.send('1')
  await stream.until('1')
  sse.proxy.addFault(drop())
  stream.send('2')
  await untilTrue(() => sse.network.injections.total === 1, 'the drop')
  sse.proxy.removeFault('lossy')
  stream.send('3')
  await stream.until('3')
  stream.response.end()
  expect(await stream.untilEnded()).toBe('end')
  expect(stream.events).toEqual(['1', '3'])
})

test.concurrent('acts on event streams only, and counts nothing else; not on compressed ones', async () => {
  await using sse = await startSse([drop({}, { times: 1 })])
  const passing = async (headers: Record<string, string>, body: string | Buffer): Promise<string> => {
    const stream = await sse.open('/', headers)
    stream.response.end(body)
    await stream.untilEnded()
    return stream.text
  }
  expect(await passing({ 'Content-Type': 'text/plain' }, 'data: 1\n\n')).toBe('data: 1\n\n')
  expect(await passing({}, 'data: 2\n\n')).toBe('data: 2\n\n')
  const gzip = { 'Content-Type': 'text/event-stream', 'Content-Encoding': 'gzip' }
  expect(await passing(gzip, gzipSync('data: 5\n\n'))).toBe('data: 5\n\n')
  const dropped = await sse.open('/', { 'Content-Type': 'Text/Event-Stream; charset=utf-8' })
  dropped.send('3')
  dropped.response.end()
  await dropped.untilEnded()
  expect(dropped.text).toBe('')
  expect(await passing({ 'Content-Type': 'text/event-stream' }, 'data: 4\n\n')).toBe('data: 4\n\n')
})

test.concurrent('acts on the requests that match', async () => {
  await using sse = await startSse([drop({}, { match: { path: '/a' } })])
  const [first, second] = [await sse.open('/a'), await sse.open('/b')]
  for (const stream of [first, second]) {
    stream.send('x')
    stream.response.end()
    await stream.untilEnded()
  }
  expect([first.events, second.events]).toEqual([[], ['x']])
})

const EVENTS = ['data: 1\r\n\r\n', ': comment\r\n\r\n', 'id: 2\rdata: 2\r\r', 'data: 3\n\n'].join('')
const LEFT = ': comment\r\n\r\ndata: 3\n\n'

test.concurrent.each([
  ['with Content-Length', `Content-Length: ${EVENTS.length}`, EVENTS, 'chunked', true],
  ['chunked', 'Transfer-Encoding: chunked', chunked(EVENTS, 7), 'chunked', true],
  ['until the end of the connection', 'Connection: close', EVENTS, 'close', false],
] as const)('on the wire: %s', async (_, header, body, framed, keepsAlive) => {
  await using upstream = await RawServer.start()
  await using network = new Network({ seed: 1 })
  const faults = [drop({ count: 1 }), drop({ count: 1 }, { name: 'second' })]
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: upstream.address, faults })
  const accepted = upstream.next()
  const client = await RawSocket.connect(portOf(proxy))
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const server = await accepted
  await server.until(() => server.text.endsWith('\r\n\r\n'), 'the request')
  server.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n${header}\r\n\r\n${body}`)
  if (!keepsAlive) server.end()
  const last = keepsAlive ? '0\r\n\r\n' : 'data: 3\n\n'
  await client.until(() => client.text.endsWith(last), 'the end of the answer')
  const [head, received] = split(client.text)
  expect(framed === 'chunked' ? unchunked(received) : received).toBe(LEFT)
  if (framed === 'chunked') {
    expect(head).toMatch(/transfer-encoding: chunked/i)
    expect(head).not.toMatch(/content-length/i)
  }
  if (!keepsAlive) {
    expect(await client.untilEnded()).toBe('FIN')
    return
  }
  // The connection is good for the next request.
  const before = client.receivedBytes
  client.write('GET /next HTTP/1.1\r\nHost: a\r\n\r\n')
  await server.until(() => server.text.includes('/next'), 'the next request')
  server.write('HTTP/1.1 204 No Content\r\n\r\n')
  await client.until(() => client.receivedBytes > before, 'the next answer')
  expect(client.text.slice(before)).toBe('HTTP/1.1 204 No Content\r\n\r\n')
})

test.concurrent('can not take hold in the middle of an answer with a Content-Length, and says so', async () => {
  await using upstream = await RawServer.start()
  await using network = new Network({ seed: 1 })
  // Another fault has taken the answer apart, so that this one could join.
  const faults = [{ type: 'sse_stall', attributes: { afterEvents: 100 } }]
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream: upstream.address, faults })
  const accepted = upstream.next()
  const client = await RawSocket.connect(portOf(proxy))
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const server = await accepted
  await server.until(() => server.text.endsWith('\r\n\r\n'), 'the request')
  const events = ['data: 1\n\n', 'data: 2\n\n']
  server.write(`HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 18\r\n\r\n${events[0]}`)
  await client.until(() => client.text.endsWith('data: 1\n\n'), 'the first event')
  proxy.addFault(drop())
  server.write(events[1] ?? '')
  await client.until(() => client.text.endsWith('data: 2\n\n'), 'the second event')
  expect(network.events.entries().map(({ type, detail }) => [type, detail['fault']])).toEqual([
    ['fault_not_applied', 'lossy'],
  ])
})

/** Everything behind the head. */
function split(text: string): [string, string] {
  const end = text.indexOf('\r\n\r\n') + 4
  return [text.slice(0, end), text.slice(end)]
}

function chunked(text: string, bytes: number): string {
  const parts = text.match(new RegExp(`[^]{1,${bytes}}`, 'g')) ?? []
  return `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
}

function unchunked(text: string): string {
  let content = ''
  for (let at = 0; ;) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) return content
    content += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
}
