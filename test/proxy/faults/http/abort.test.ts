// http_abort: answers of the proxy's own.
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { get, request, startHttp } from '../../../support/http-faults.ts'

const abort = (attributes: Record<string, unknown> = {}) => ({ type: 'http_abort', attributes })

describe('the answer', () => {
  test.each([
    [{}, 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n'],
    [{ status: 599 }, 'HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n'],
    [{ status: 500, reason: 'Oh No' }, 'HTTP/1.1 500 Oh No\r\nContent-Length: 0\r\n\r\n'],
    [{ status: 204 }, 'HTTP/1.1 204 No Content\r\n\r\n'],
    [
      { body: 'grün' },
      'HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\ngrün',
    ],
    [
      { body: { error: ['a', null] } },
      'HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"error":["a",null]}',
    ],
    [
      { body: null },
      'HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull',
    ],
    [
      { headers: { 'content-type': 'application/problem+json', 'Set-Cookie': ['a=1', 'b=2'] }, body: {} },
      'HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\n' +
        'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\n{}',
    ],
  ])('%j is, byte by byte, as asked for', async (attributes, expected) => {
    await using proxied = await startHttp([abort(attributes)])
    const client = await proxied.connect()
    const { bytes } = await client.exchange(get('/'))
    expect(bytes.toString()).toBe(expected)
    expect(proxied.upstream.lines).toEqual([])
  })

  test('to HEAD has no body, but its length', async () => {
    await using proxied = await startHttp([abort({ body: 'hello' })])
    const client = await proxied.connect()
    const { bytes } = await client.exchange('HEAD / HTTP/1.1\r\nHost: test\r\n\r\n')
    expect(bytes.toString()).toContain('\r\nContent-Length: 5\r\n\r\n')
    proxied.network.heal()
    expect((await client.exchange(get('/next'))).body).toBe('/next')
    expect(client.rest).toBe('')
  })

  test('reaches a real client with its headers', async () => {
    await using proxied = await startHttp([abort({ status: 418, headers: { 'X-A': 'b' }, body: { tea: true } })])
    const response = await fetch(proxied.url, { method: 'POST', body: 'x'.repeat(100_000) })
    expect([response.status, response.headers.get('x-a'), await response.json()]).toEqual([418, 'b', { tea: true }])
  })
})

describe("the request's body", () => {
  test.each([
    ['with a length', request('POST', '/', { body: 'GET /smuggled HTTP/1.1\r\n\r\n' })],
    [
      'chunked',
      'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\nTrailer: x\r\n\r\n',
    ],
  ])('%s is read and dropped, and the connection goes on', async (_, text) => {
    await using proxied = await startHttp([{ ...abort(), match: { method: 'POST' } }])
    const client = await proxied.connect()
    client.send(text + get('/behind'))
    expect((await client.answer()).status).toBe(503)
    expect((await client.answer()).body).toBe('/behind')
    expect(proxied.upstream.lines).toEqual(['GET /behind'])
  })

  test('may come after the answer', async () => {
    await using proxied = await startHttp([{ ...abort(), match: { method: 'POST' } }])
    const client = await proxied.connect()
    client.send('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n12345')
    expect((await client.answer()).status).toBe(503)
    client.send(`67890${get('/behind')}`)
    expect((await client.answer()).body).toBe('/behind')
    expect(proxied.upstream.lines).toEqual(['GET /behind'])
  })
})

test('answers come in the order of their requests, also when the server is slower than the proxy', async () => {
  await using proxied = await startHttp([
    { ...abort({ status: 500 }), match: { path: '/bad' } },
    { type: 'http_delay', attributes: { delayMs: 40, phase: 'response' }, match: { path: '/slow' } },
  ])
  const client = await proxied.connect()
  client.send(get('/slow') + get('/bad') + get('/slow') + get('/bad'))
  const seen: number[] = []
  for (let index = 0; index < 4; index++) seen.push((await client.answer()).status)
  expect(seen).toEqual([200, 500, 200, 500])
})

test('Connection: close is obeyed behind the answer', async () => {
  await using proxied = await startHttp([abort()])
  const client = await proxied.connect()
  expect((await client.exchange(get('/', ['Connection: close']))).headers('connection')).toEqual(['close'])
  expect(await client.raw.untilEnded()).toBe('FIN')
})
