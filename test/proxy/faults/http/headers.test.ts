// http_headers: what is changed, in which order and place, and that all else stays as it was.
import { fetch } from 'undici'
import { expect, test } from 'vitest'
import { answer, get, request, startHttp } from '../../../support/http-faults.ts'

const edit = (attributes: Record<string, unknown>) => ({ type: 'http_headers', attributes })

const HEADERS = ['X-One: 1', 'set-cookie: a=1', 'X-Two:2', 'Set-Cookie: b=2', 'X-Folded: a\r\n b']

const answerOk = () => answer('ok', { headers: HEADERS })

test.each([
  [{ set: { 'x-one': 'new' } }, ['x-one: new', ...HEADERS.slice(1)]],
  [{ set: { 'Set-Cookie': 'c=3' } }, [HEADERS[0], 'Set-Cookie: c=3', HEADERS[2], HEADERS[4]]],
  [{ add: { 'X-One': ['2', '3'] } }, [...HEADERS, 'LENGTH', 'X-One: 2', 'X-One: 3']],
  [{ set: { 'X-New': ['1', '2'] } }, [...HEADERS, 'LENGTH', 'X-New: 1', 'X-New: 2']],
  [{ remove: ['SET-COOKIE', 'x-folded'] }, [HEADERS[0], HEADERS[2]]],
  [
    { remove: ['X-One'], set: { 'X-One': 's' }, add: { 'X-One': 'a' } },
    [...HEADERS.slice(1), 'LENGTH', 'X-One: s', 'X-One: a'],
  ],
  [{ set: { 'X-One': '' } }, ['X-One: ', ...HEADERS.slice(1)]],
  [{ set: { 'X-One': 'gr\xfc\xdfe' } }, ['X-One: gr\xfc\xdfe', ...HEADERS.slice(1)]],
])('%j', async (attributes, expected) => {
  await using proxied = await startHttp([edit(attributes)], { respond: answerOk })
  const client = await proxied.connect()
  const { bytes } = await client.exchange(get('/'))
  const lines = expected.includes('LENGTH') ? expected : [...expected, 'LENGTH']
  const head = lines.map((line) => (line === 'LENGTH' ? 'Content-Length: 2' : line)).join('\r\n')
  expect(bytes.toString('latin1')).toBe(`HTTP/1.1 200 OK\r\n${head}\r\n\r\nok`)
  expect(proxied.actions()).toEqual(['edit_headers'])
})

test('removing what is not there is no act', async () => {
  await using proxied = await startHttp([edit({ remove: ['X-Absent'] })])
  const client = await proxied.connect()
  expect((await client.exchange(get('/'))).bytes).toEqual(answer('/').bytes)
  expect(proxied.actions()).toEqual([])
})

test("changes a request's headers before the server gets them, and its body not at all", async () => {
  await using proxied = await startHttp([edit({ phase: 'request', set: { Host: 'other' }, remove: ['Cookie'] })])
  const client = await proxied.connect()
  client.send(request('POST', '/', { headers: ['Cookie: a=1', 'X: y'], body: 'content' }) + get('/behind'))
  await client.answer()
  await client.answer()
  expect(proxied.upstream.requests[0]?.head).toBe('POST / HTTP/1.1\r\nHost: other\r\nX: y\r\nContent-Length: 7\r\n\r\n')
  expect(proxied.upstream.requests[0]?.body).toBe('content')
})

test('a real client sees them', async () => {
  await using proxied = await startHttp([
    edit({ set: { 'Cache-Control': 'no-store' }, add: { 'Set-Cookie': ['a', 'b'] } }),
  ])
  const response = await fetch(proxied.url)
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.getSetCookie()).toEqual(['a', 'b'])
})
