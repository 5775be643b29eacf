// http_duplicate: the server gets a request twice, and the client notices nothing.
import { fetch } from 'undici'
import { expect, test } from 'vitest'
import { answer, get, request, startHttp } from '../../../support/http-faults.ts'

const DUPLICATE = { type: 'http_duplicate', match: { path: '/orders' } }

test('a request with its body arrives twice, byte by byte the same, and one answer comes back', async () => {
  let count = 0
  await using proxied = await startHttp([DUPLICATE], { respond: () => answer(`answer ${++count}`) })
  const client = await proxied.connect()
  const post = request('POST', '/orders', { headers: ['X: y'], body: '{"id":1}' })
  client.send(post + get('/behind'))
  expect((await client.answer()).body).toBe('answer 1')
  // The second answer is the duplicate's.
  expect((await client.answer()).body).toBe('answer 3')
  expect(client.rest).toBe('')
  expect(proxied.upstream.sockets[0]?.text).toBe(post + post + get('/behind'))
  expect(proxied.actions()).toEqual(['duplicate'])
})

test('a chunked request stays chunked', async () => {
  await using proxied = await startHttp([DUPLICATE])
  const client = await proxied.connect()
  const post =
    'POST /orders HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n'
  expect((await client.exchange(post)).body).toBe('/orders')
  expect((await client.exchange(get('/next'))).body).toBe('/next')
  expect(proxied.upstream.sockets[0]?.text).toBe(post + post + get('/next'))
})

test('shows a server that is not idempotent', async () => {
  const seen = new Map<string, number>()
  const respond = ({ body }: { body: string }) => answer(String(seen.set(body, (seen.get(body) ?? 0) + 1).get(body)))
  await using proxied = await startHttp([DUPLICATE], { respond })
  const response = await fetch(`${proxied.url}/orders`, { method: 'POST', body: 'pay' })
  expect(await response.text()).toBe('1')
  expect(seen.get('pay')).toBe(2)
})

test('a request that is too long for it is sent once, which an event says', async () => {
  await using proxied = await startHttp([DUPLICATE])
  const client = await proxied.connect()
  expect((await client.exchange(request('POST', '/orders', { body: 'x'.repeat(1_100_000) }))).body).toBe('/orders')
  expect((await client.exchange(get('/next'))).body).toBe('/next')
  expect(proxied.upstream.lines).toEqual(['POST /orders', 'GET /next'])
  expect(proxied.network.events.entries().map(({ type }) => type)).toEqual(['fault_not_applied'])
})
