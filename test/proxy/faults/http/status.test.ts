// http_status: the server has done its work, the client hears something else.
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { answer, BODY, get, request, startHttp, type Respond } from '../../../support/http-faults.ts'

const status = (attributes: Record<string, unknown> = {}) => ({ type: 'http_status', attributes })

test('the ambiguous write: the server has it, the client is told that it failed', async () => {
  await using proxied = await startHttp([{ ...status(), match: { method: 'POST' }, times: 1 }])
  const order = () => fetch(`${proxied.url}/orders`, { method: 'POST', body: '{"id":1}' })
  expect([(await order()).status, (await order()).status]).toEqual([503, 200])
  expect(proxied.upstream.requests.map(({ body }) => body)).toEqual(['{"id":1}', '{"id":1}'])
  expect(
    proxied.network.injections.entries().map(({ action, detail }) => [action, detail['status'], detail['to']]),
  ).toEqual([['set_status', 200, 503]])
})

test('all but the status line stays as it was', async () => {
  await using proxied = await startHttp([status({ status: 404, reason: 'Gone Fishing' })])
  const client = await proxied.connect()
  const { bytes } = await client.exchange(get('/chunked'))
  const direct = answer(BODY, { framing: 'chunked' }).bytes.toString()
  expect(bytes.toString()).toBe(direct.replace('200 OK', '404 Gone Fishing'))
})

test('the status that it has already is no act', async () => {
  await using proxied = await startHttp([status({ status: 200 })])
  const client = await proxied.connect()
  await client.exchange(get('/'))
  expect(proxied.actions()).toEqual([])
})

const LARGE = answer('x'.repeat(200_000)).bytes

const halfOfLarge: Respond = ({ target }) =>
  target === '/large' ? { bytes: LARGE.subarray(0, 100_000), close: false } : answer(target)

describe.each([204, 304])('%i', (code) => {
  test.each(['length', 'chunked'])('has neither the body of kind %s nor its headers', async (framing) => {
    await using proxied = await startHttp([{ ...status({ status: code }), match: { path: `/${framing}` } }])
    const client = await proxied.connect()
    client.send(get(`/${framing}`) + get('/behind'))
    const { head, bytes } = await client.answer()
    expect(bytes.length).toBe(head.length)
    expect(head).not.toMatch(/content-length|transfer-encoding/i)
    expect((await client.answer()).body).toBe('/behind')
    expect(client.rest).toBe('')
  })

  test('drops a large body, also when the fault is removed meanwhile', async () => {
    await using proxied = await startHttp([{ ...status({ status: code }), name: 's' }], { respond: halfOfLarge })
    const client = await proxied.connect()
    client.send(get('/large'))
    expect((await client.answer()).status).toBe(code)
    proxied.proxy.removeFault('s')
    proxied.upstream.sockets[0]?.write(LARGE.subarray(100_000))
    expect((await client.exchange(get('/next'))).body).toBe('/next')
    expect(client.rest).toBe('')
  })

  test('becomes another status with an empty body, as the client waits for one', async () => {
    // 304 may tell the length of what it does not send (RFC 9110 section 15.4.5).
    const head = code === 304 ? 'HTTP/1.1 304 N\r\nContent-Length: 99' : 'HTTP/1.1 204 N'
    const respond = () => ({ bytes: Buffer.from(`${head}\r\n\r\n`), close: false })
    await using proxied = await startHttp([status({ status: 200 })], { respond })
    const client = await proxied.connect()
    for (const path of ['/1', '/2']) {
      const { bytes } = await client.exchange(get(path))
      expect(bytes.toString()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    }
  })
})

test('an answer to HEAD stays without a body', async () => {
  await using proxied = await startHttp([status({ status: 500 })])
  const client = await proxied.connect()
  const { bytes } = await client.exchange('HEAD /length HTTP/1.1\r\nHost: test\r\n\r\n')
  expect(bytes.toString()).toBe(`HTTP/1.1 500 Internal Server Error\r\nContent-Length: ${BODY.length}\r\n\r\n`)
})

const notModified = () => ({ bytes: Buffer.from('HTTP/1.1 304 N\r\nContent-Length: 99\r\n\r\n'), close: false })

test('an answer 304 to HEAD becomes another without a body', async () => {
  await using proxied = await startHttp([status({ status: 200 })], { respond: notModified })
  const client = await proxied.connect()
  const { bytes } = await client.exchange('HEAD / HTTP/1.1\r\nHost: test\r\n\r\n')
  // The length that GET would have, which HEAD may tell.
  expect(bytes.toString()).toBe('HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n')
})

test('announcements before the answer stay as they are', async () => {
  const early = Buffer.from('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n')
  const respond = () => ({ bytes: Buffer.concat([early, answer('ok').bytes]), close: false })
  await using proxied = await startHttp([status({ status: 500 })], { respond })
  const client = await proxied.connect()
  client.send(request('GET', '/'))
  await client.raw.until(() => client.rest.endsWith('ok'), 'the answer')
  expect(client.rest).toBe(`${early.toString()}HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nok`)
})

const upgradeAnswer = () => ({
  bytes: Buffer.from('HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n'),
  close: false,
})

test('an upgraded connection is left alone', async () => {
  await using proxied = await startHttp([status({ status: 500 })], { respond: upgradeAnswer })
  const client = await proxied.connect()
  client.send(get('/', ['Connection: upgrade', 'Upgrade: echo']))
  await client.raw.until(() => client.rest.endsWith('\r\n\r\n'), 'the answer')
  expect(client.rest).toMatch(/^HTTP\/1.1 101 X/)
  expect(proxied.actions()).toEqual([])
})
