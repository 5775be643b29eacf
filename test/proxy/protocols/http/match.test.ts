// Which requests and answers a match is for, part by part, and what can't work.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { isFaultlineError } from '../../../../proxy/index.ts'
import { decodeBeginning, decodeContent } from '../../../../proxy/protocols/http/content-coding.ts'
import { HttpFramer, Piece } from '../../../../proxy/protocols/http/framer.ts'
import { HttpHead } from '../../../../proxy/protocols/http/head.ts'
import { compileHttpMatch, httpMatchSchema, type HttpMatchSpec } from '../../../../proxy/protocols/http/match.ts'
import { Peek } from '../../../../proxy/protocols/http/peek.ts'
import { HttpRequest } from '../../../../proxy/protocols/http/request.ts'
import { validate } from '../../../../proxy/validate.ts'

type Phase = 'request' | 'response'

/** As a fault does it: by the schema, then compiled. */
function compile(spec: unknown, phase: Phase = 'request') {
  return compileHttpMatch(validate(httpMatchSchema, spec, 'match'), phase, 'match')
}

function request(startLine: string, ...headers: string[]): HttpRequest {
  return new HttpRequest([startLine, ...headers, '', ''].join('\r\n'))
}

function answer(status: string, ...headers: string[]): HttpHead {
  return new HttpHead([`HTTP/1.1 ${status}`, ...headers, '', ''].join('\r\n'))
}

const matches = (spec: HttpMatchSpec, of: HttpRequest): boolean => compile(spec).request(of)
const matchesAnswer = (spec: HttpMatchSpec, of: HttpHead): boolean => compile(spec, 'response').message(of)

describe('the request', () => {
  const order = request(
    'POST /v1/orders?limit=5&tag=a&tag=b%20c&empty= HTTP/1.1',
    'Host: Api.Example.com:8080',
    'X-Tenant: acme',
    'x-tenant: other',
    'X-Folded: one\r\n two',
    'Cookie: session="abc"; theme=dark',
    'cookie: lang=en',
  )

  test('without a match is always meant', () => {
    expect(matches({}, order)).toBe(true)
  })

  test.each<[HttpMatchSpec, boolean]>([
    [{ method: 'POST' }, true],
    [{ method: 'post' }, true],
    [{ method: ['GET', 'POST'] }, true],
    [{ method: ['GET', 'PUT'] }, false],
    [{ path: '/v1/orders' }, true],
    [{ path: '/v1/orders?limit=5' }, false], // the query is no part of the path
    [{ path: '/v1/*' }, true],
    [{ path: '/*' }, false],
    [{ path: '/**' }, true],
    [{ path: '/^/v[0-9]+/orders$/' }, true],
    [{ path: { exact: '/v1/order' } }, false],
    [{ host: 'api.example.com' }, true],
    [{ host: 'API.example.com:8080' }, true],
    [{ host: '*.Example.com' }, true],
    [{ host: { regex: '^API[.]' } }, true],
    [{ host: 'example.com' }, false],
    [{ headers: { 'x-TENANT': 'acme' } }, true],
    [{ headers: { 'x-tenant': 'other' } }, true], // any of several
    [{ headers: { 'x-tenant': 'a*' } }, true],
    [{ headers: { 'x-tenant': 'Acme' } }, false],
    [{ headers: { 'x-folded': 'one two' } }, true],
    [{ headers: { 'x-tenant': true, 'x-other': false } }, true],
    [{ headers: { 'x-tenant': false } }, false],
    [{ headers: { 'x-other': true } }, false],
    [{ headers: { 'x-other': '*' } }, false],
    [{ query: { limit: '5' } }, true],
    [{ query: { tag: 'b c' } }, true],
    [{ query: { empty: '' } }, true],
    [{ query: { empty: true, other: false } }, true],
    [{ query: { limit: '/^[0-9]$/', tag: 'a' } }, true],
    [{ query: { limit: '6' } }, false],
    [{ cookies: { session: 'abc' } }, true],
    [{ cookies: { lang: 'en', theme: 'd*' } }, true],
    [{ cookies: { Session: 'abc' } }, false],
    [{ cookies: { ses: true } }, false],
    [{ method: 'POST', path: '/v1/*', headers: { 'x-tenant': 'acme' }, query: { limit: '5' } }, true],
    [{ method: 'POST', path: '/v1/*', headers: { 'x-tenant': 'acme' }, query: { limit: '6' } }, false],
    [{ method: 'GET', path: '/v1/*' }, false],
  ])('%j: %s', (spec, expected) => {
    expect(matches(spec, order)).toBe(expected)
  })

  test('may be given RegExps by programs', () => {
    expect(compileHttpMatch({ path: /ORDERS$/i, host: /EXAMPLE/ }, 'request', 'match').request(order)).toBe(true)
  })

  test.each([
    ['GET http://Other.example/a?b=1 HTTP/1.1', { path: '/a', host: 'other.example', query: { b: '1' } }],
    ['GET http://other.example HTTP/1.1', { path: '/', host: 'other.example' }],
    ['GET http://other.example?b=1 HTTP/1.1', { path: '/', query: { b: '1' } }],
    ['OPTIONS * HTTP/1.1', { path: { exact: '*' }, host: 'api' }],
    ['CONNECT other.example:443 HTTP/1.1', { path: 'other.example:443', host: 'api' }],
    ['GET //a//b HTTP/1.1', { path: '//a//b', host: 'api' }],
    ['GET /a%2Fb HTTP/1.1', { path: '/a%2Fb' }], // as sent
    ['GET /a?b?c=/d HTTP/1.1', { path: '/a', query: { 'b?c': '/d' } }],
    ['GET /a b HTTP/1.1', { path: '/a b' }],
    ['GET / HTTP/1.1', { query: { a: false }, cookies: { a: false } }],
  ] as [string, HttpMatchSpec][])('%s', (startLine, spec) => {
    expect(matches(spec, request(startLine, 'Host: Api'))).toBe(true)
  })

  test('without Host has an empty one', () => {
    expect(matches({ host: '' }, request('GET / HTTP/1.0'))).toBe(true)
    expect(matches({ host: '*.com' }, request('GET / HTTP/1.0'))).toBe(false)
  })

  test('with an IPv6 host', () => {
    const one = request('GET / HTTP/1.1', 'Host: [::1]:80')
    expect(matches({ host: '[::1]' }, one)).toBe(true)
    expect(matches({ host: '[::1]:80' }, one)).toBe(true)
    expect(matches({ host: '[::1]' }, request('GET / HTTP/1.1', 'Host: [::1]'))).toBe(true)
  })
})

describe('the answer', () => {
  test.each<[HttpMatchSpec, boolean]>([
    [{ status: 503 }, true],
    [{ status: '5xx' }, true],
    [{ status: [404, '5xx'] }, true],
    [{ status: [404, '4xx'] }, false],
    [{ contentType: 'application/json' }, true],
    [{ contentType: 'Application/JSON' }, true],
    [{ contentType: 'application/*' }, true],
    [{ contentType: '/json$/' }, true],
    [{ contentType: 'text/*' }, false],
    [{ status: 503, contentType: 'text/*' }, false],
  ])('%j: %s', (spec, expected) => {
    const head = answer('503 Service Unavailable', 'content-type:  Application/JSON ; charset=utf-8')
    expect(matchesAnswer(spec, head)).toBe(expected)
  })

  test('without a Content-Type has an empty one', () => {
    expect(matchesAnswer({ contentType: '*' }, answer('200 OK'))).toBe(true)
    expect(matchesAnswer({ contentType: 'text/*' }, answer('200 OK'))).toBe(false)
  })
})

describe('what can not work is refused, naming the field', () => {
  test.each<[unknown, string, RegExp]>([
    [{ methods: 'GET' }, 'match.methods', /unknown field \(did you mean "method"\?\), expected one of method, path, /],
    [{ method: '' }, 'match.method', /expected/],
    [{ method: [] }, 'match.method', /expected/],
    [{ method: 7 }, 'match.method', /expected/],
    [{ path: 7 }, 'match.path', /expected/],
    [{ path: { exact: 'a', glob: 'b' } }, 'match.path', /expected/],
    [{ path: { regexp: 'a' } }, 'match.path', /expected/],
    [{ path: '/(/' }, 'match.path', /expected a regular expression in RE2 syntax/],
    [{ path: { regex: '(' } }, 'match.path.regex', /expected a regular expression in RE2 syntax/],
    [{ path: '/orders/' }, 'match.path', /it could be either/],
    [{ host: { regex: 'a', flags: 'y' } }, 'match.host.regex', /expected flags out of i, m, s, got "y"/],
    [{ headers: 'a' }, 'match.headers', /expected an object/],
    [{ headers: { a: 7 } }, 'match.headers.a', /expected/],
    [{ headers: { 'a b': 'c' } }, 'match.headers', /expected names of headers, got "a b"/],
    [{ headers: { a: { regex: '[' } } }, 'match.headers.a.regex', /RE2 syntax/],
    [{ query: { a: '/[/' } }, 'match.query.a', /RE2 syntax/],
    [{ cookies: { a: { glob: 'x'.repeat(1001) } } }, 'match.cookies.a.glob', /at most 1000 characters/],
    [{ body: { regex: 'a{1000}' } }, 'match.body.regex', /that is shorter or repeats less/],
    [{ contentType: { regex: '(?<=a)' } }, 'match.contentType.regex', /RE2 syntax/],
    [{ status: 99 }, 'match.status', /expected an integer from 100 to 999/],
    [{ status: 1000 }, 'match.status', /expected an integer from 100 to 999/],
    [{ status: '5x' }, 'match.status', /expected/],
    [{ status: '0xx' }, 'match.status', /expected/],
    [{ status: [200, '7'] }, 'match.status', /expected/],
    ['GET', 'match', /expected an object/],
    [[], 'match', /expected an object/],
  ])('%j', (spec, field, message) => {
    let error: unknown
    try {
      compile(spec, 'response')
    } catch (thrown) {
      error = thrown
    }
    if (!isFaultlineError(error)) throw error ?? new Error('not refused')
    expect(error.field).toBe(field)
    expect(error.message).toMatch(message)
    expect(error.message.startsWith(`${field}: `)).toBe(true)
  })

  test('a status, of a fault that acts before there is one', () => {
    expect(() => compile({ status: 503 }, 'request')).toThrow(
      'match.status: expected nothing, as this fault acts before there is an answer',
    )
  })
})

/** What a match sees of a message's body, cut into chunks of so many bytes. */
function peekAt(wire: string, chunkBytes: number, limit = 65_536): Peek {
  const framer = new HttpFramer('response')
  const bytes = Buffer.from(wire, 'latin1')
  const at = framer.next(bytes, 0)
  expect(framer.piece).toBe(Piece.head)
  const peek = new Peek(framer, limit)
  for (let from = at; from < bytes.length; from += chunkBytes) peek.feed(bytes.subarray(from, from + chunkBytes))
  return peek
}

describe('content', () => {
  test('is a text that is contained, or a regular expression', () => {
    const body = (pattern: HttpMatchSpec['body'] & {}) => compile({ body: pattern }, 'response').body
    expect(body('"sku":"a*"')?.('{"sku":"a*"}')).toBe(true)
    expect(body('sku')?.('{}')).toBe(false)
    expect(body('/"sku":"[ab]"/')?.('{"sku":"b"}')).toBe(true)
    expect(compile({ path: '/' }).body).toBeUndefined()
  })

  const head = 'HTTP/1.1 200 OK\r\n'

  test.each([1, 3, 1000])('is found without its chunks, which come %d bytes at a time', (chunkBytes) => {
    const peek = peekAt(`${head}Transfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`, chunkBytes)
    expect([peek.content.toString(), peek.complete, peek.done]).toEqual(['abcde', true, true])
  })

  test('with Content-Length is complete when all has come', () => {
    const wire = `${head}Content-Length: 5\r\n\r\nabcde`
    expect(peekAt(wire, 2)).toMatchObject({ complete: true, done: true })
    expect(peekAt(wire.slice(0, -1), 2)).toMatchObject({ complete: false, done: false })
  })

  test('is looked at up to a limit', () => {
    const peek = peekAt(`${head}Content-Length: 10\r\n\r\nabcdefghij`, 4, 6)
    expect([peek.content.toString(), peek.complete, peek.done]).toEqual(['abcdef', false, true])
  })

  test('without an end is complete when the connection ends', () => {
    const peek = peekAt(`${head}\r\nabc`, 1)
    expect([peek.complete, peek.done]).toEqual([false, false])
    peek.finish()
    expect([peek.content.toString(), peek.complete, peek.done]).toEqual(['abc', true, true])
  })

  test('in chunks of one byte with long extensions is not waited for without an end', () => {
    const chunk = `1;${'x'.repeat(100)}\r\na\r\n`
    const peek = peekAt(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk.repeat(5000)}`, 1000, 10_000)
    expect(peek.done).toBe(true)
    expect(peek.complete).toBe(false)
  })

  test('that can not be understood is not waited for', () => {
    expect(peekAt(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\nab`, 100)).toMatchObject({
      done: true,
      complete: false,
    })
  })

  const text = Buffer.from('order '.repeat(100))
  const codings: [string, Buffer][] = [
    ['gzip', gzipSync(text)],
    ['X-GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['identity', text],
  ]

  test.each(codings)('is decoded of %s, also if some of it is missing', (coding, encoded) => {
    const coded = answer('200 OK', `Content-Encoding: ${coding}`)
    expect(decodeContent(coded, encoded, 1000)?.equals(text)).toBe(true)
    expect(decodeBeginning(coded, encoded, 1000)?.equals(text)).toBe(true)
    expect(decodeBeginning(coded, encoded, 11)?.toString()).toBe('order order')
    const half = decodeBeginning(coded, encoded.subarray(0, -1), 1000)
    expect(half && text.subarray(0, half.length).equals(half)).toBe(true)
  })

  test('of an unknown coding, or of none that it says, is none', () => {
    for (const coding of ['zstd', 'gzip, br']) {
      expect(decodeBeginning(answer('200 OK', `Content-Encoding: ${coding}`), text, 1000)).toBeUndefined()
    }
    expect(decodeBeginning(answer('200 OK', 'Content-Encoding: gzip'), text, 1000)).toBeUndefined()
    expect(decodeContent(answer('200 OK', 'Content-Encoding: gzip'), gzipSync(text), 10)).toBeUndefined()
  })

  test('that unpacks to a thousand times its size is looked at all the same, in little time', () => {
    const coded = answer('200 OK', 'Content-Encoding: gzip')
    const bomb = gzipSync(Buffer.alloc(60_000_000, 'a'))
    const start = performance.now()
    const beginning = decodeBeginning(coded, bomb, 65_536)
    expect(beginning?.length).toBe(65_536)
    // About a hundred times what it takes, a tenth of what unpacking all would take on a slow machine.
    expect(performance.now() - start).toBeLessThan(1000)
  })
})
