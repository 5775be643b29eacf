// What holds for all faults of HTTP on the wire: they act on live connections and between pipelined requests, on bodies
// of every framing, and either leave the connection usable or end it as they say.
import { describe, expect, test } from 'vitest'
import { faultTypes, type FaultSpec } from '../../../../proxy/index.ts'
import {
  answer,
  BODY,
  framings,
  get,
  startHttp,
  type Framing,
  type ReceivedAnswer,
} from '../../../support/http-faults.ts'
import type { Ending } from '../../../support/sockets.ts'

/** Two more than what is pipelined: the answers around the disturbed one must come through untouched. */
const BEFORE = answer('/before').bytes.toString()
const BEHIND = answer('/behind').bytes.toString()

const direct = (framing: Framing): Buffer => answer(BODY, { framing }).bytes

// ---- faults that leave the connection usable -----------------------------------------------------------------------

interface Survivor extends FaultSpec {
  readonly sees: (received: ReceivedAnswer, framing: Framing) => void
}

function unchanged(received: ReceivedAnswer, framing: Framing): void {
  expect(received.bytes.toString()).toBe(direct(framing).toString())
}

/** Chunks may be cut otherwise. */
function sameMessage({ head, body }: ReceivedAnswer, framing: Framing): void {
  expect(direct(framing).toString().startsWith(head)).toBe(true)
  expect(body).toBe(BODY)
}

const withBody = (body: string) => (received: ReceivedAnswer) => {
  expect(received.status).toBe(200)
  expect(received.headers('content-length')).toEqual([String(body.length)])
  expect(received.headers('transfer-encoding')).toEqual([])
  expect(received.body).toBe(body)
}

const withStatus =
  (startLine: string, body = BODY) =>
  (received: ReceivedAnswer) => {
    expect(received.startLine).toBe(startLine)
    expect(received.body).toBe(body)
  }

const survivors: Survivor[] = [
  { type: 'http_delay', attributes: { delayMs: 5 }, sees: unchanged },
  { type: 'http_delay', attributes: { delayMs: 5, phase: 'response' }, sees: unchanged },
  { type: 'http_abort', sees: withStatus('HTTP/1.1 503 Service Unavailable', '') },
  { type: 'http_rate_limit', attributes: { limit: 0 }, sees: withStatus('HTTP/1.1 429 Too Many Requests', '') },
  { type: 'http_slow_headers', attributes: { durationMs: 20 }, sees: unchanged },
  { type: 'http_slow_headers', attributes: { durationMs: 20, phase: 'request' }, sees: unchanged },
  { type: 'http_slow_body', attributes: { rateBytesPerSecond: 10_000 }, sees: sameMessage },
  { type: 'http_slow_body', attributes: { chunks: 7, durationMs: 20 }, sees: sameMessage },
  {
    type: 'http_corrupt',
    attributes: { rate: 1 },
    sees: ({ body }) => expect(body.split('').every((character, index) => character !== BODY[index])).toBe(true),
  },
  {
    type: 'http_corrupt',
    attributes: { replace: { find: 'line', with: 'number' } },
    sees: withBody(BODY.replaceAll('line', 'number')),
  },
  { type: 'http_corrupt', attributes: { text: '{"cut":' }, sees: withBody('{"cut":') },
  { type: 'http_corrupt', attributes: { jsonPatch: [{ op: 'remove', path: '/a' }] }, sees: unchanged },
  {
    type: 'http_headers',
    attributes: { add: { 'X-Fault': 'yes' } },
    sees: (received, framing) => {
      expect(received.headers('x-fault')).toEqual(['yes'])
      expect(received.bytes.toString().replace('X-Fault: yes\r\n', '')).toBe(direct(framing).toString())
    },
  },
  { type: 'http_status', sees: withStatus('HTTP/1.1 503 Service Unavailable') },
  { type: 'http_status', attributes: { status: 204 }, sees: withStatus('HTTP/1.1 204 No Content', '') },
  { type: 'http_status', attributes: { status: 304, reason: 'Same' }, sees: withStatus('HTTP/1.1 304 Same', '') },
  { type: 'http_duplicate', sees: unchanged },
]

describe.each(survivors)('$type $attributes', ({ sees, ...spec }) => {
  test.each(['length', 'chunked'] as const)(
    'leaves a live connection usable, with a body of kind %s',
    async (framing) => {
      await using proxied = await startHttp()
      const client = await proxied.connect()
      const target = get(`/${framing}`)
      expect((await client.exchange(target)).bytes).toEqual(direct(framing))

      const fault = proxied.proxy.addFault({ ...spec, match: { path: `/${framing}` } })
      client.send(get('/before') + target + get('/behind'))
      expect((await client.answer()).bytes.toString()).toBe(BEFORE)
      sees(await client.answer(), framing)
      expect((await client.answer()).bytes.toString()).toBe(BEHIND)

      proxied.proxy.removeFault(fault.name)
      expect((await client.exchange(target)).bytes).toEqual(direct(framing))
      expect(client.rest).toBe('')
      expect(proxied.upstream.sockets).toHaveLength(1)
    },
  )

  test('acts on a body that ends with the connection', async () => {
    await using proxied = await startHttp([{ ...spec, match: { path: '/close' } }])
    const client = await proxied.connect()
    client.send(get('/before') + get('/close'))
    expect((await client.answer()).bytes.toString()).toBe(BEFORE)
    sees(await client.answer(), 'close')
    // Only an answer of the proxy's own leaves the connection open: the server has not closed it.
    const answered = spec.type === 'http_abort' || spec.type === 'http_rate_limit'
    if (!answered) expect(await client.raw.untilEnded()).toBe('FIN')
    expect(client.rest).toBe('')
  })
})

// ---- faults that end the connection --------------------------------------------------------------------------------

interface Killer extends FaultSpec {
  readonly ending: Ending
  /** What the client still gets of the answer. */
  readonly gets: Readonly<Record<Framing, string>>
}

const head = (framing: Framing): string =>
  direct(framing)
    .toString()
    .replace(/\r\n\r\n.*/s, '\r\n\r\n')

const heads = { length: head('length'), chunked: head('chunked'), close: head('close') }
const nothing = { length: '', chunked: '', close: '' }
/** Content of 179 bytes; the first chunk has 60 and is all that is known of a chunked body. */
const halves = {
  length: head('length') + BODY.slice(0, 89),
  chunked: `${head('chunked')}1e\r\n${BODY.slice(0, 30)}\r\n`,
  close: head('close') + BODY.slice(0, 89),
}
const hundred = {
  length: head('length') + BODY.slice(0, 100),
  chunked: `${head('chunked')}3c\r\n${BODY.slice(0, 60)}\r\n28\r\n${BODY.slice(60, 100)}\r\n`,
  close: head('close') + BODY.slice(0, 100),
}
const whole = {
  length: direct('length').toString(),
  chunked: direct('chunked')
    .toString()
    .replace(/0\r\n\r\n$/, ''),
  close: direct('close').toString(),
}

const when = (moment: string, more: object = {}) => ({ type: 'http_reset', attributes: { when: moment, ...more } })

const brokenChunk = (framing: Framing): string => {
  const framed = framing === 'chunked' ? BODY.slice(0, 60) : BODY
  const lines = framing === 'close' ? 'Connection: close\r\n' : ''
  return `HTTP/1.1 200 OK\r\n${lines}Transfer-Encoding: chunked\r\n\r\n${framed.length.toString(16)}\r\n${framed}\r\nno size\r\n`
}

const killers: Killer[] = [
  { ...when('before_request'), ending: 'ECONNRESET', gets: nothing },
  { ...when('before_request', { mode: 'fin' }), ending: 'FIN', gets: nothing },
  { ...when('before_headers'), ending: 'ECONNRESET', gets: nothing },
  { ...when('before_headers', { mode: 'fin' }), ending: 'FIN', gets: nothing },
  { ...when('after_headers'), ending: 'ECONNRESET', gets: heads },
  { ...when('after_headers', { mode: 'fin' }), ending: 'FIN', gets: heads },
  { ...when('mid_body'), ending: 'ECONNRESET', gets: halves },
  { ...when('mid_body', { mode: 'fin' }), ending: 'FIN', gets: halves },
  { ...when('mid_body', { afterBytes: 100 }), ending: 'ECONNRESET', gets: hundred },
  { ...when('mid_body', { afterBytes: BODY.length }), ending: 'ECONNRESET', gets: whole },
  { type: 'http_truncate', ending: 'FIN', gets: halves },
  { type: 'http_truncate', attributes: { afterBytes: 0 }, ending: 'FIN', gets: heads },
  { type: 'http_truncate', attributes: { afterBytes: 100 }, ending: 'FIN', gets: hundred },
  { type: 'http_truncate', attributes: { mode: 'rst', fraction: 0.5 }, ending: 'ECONNRESET', gets: halves },
  {
    type: 'http_malformed',
    attributes: { kind: 'chunk' },
    ending: 'FIN',
    gets: { length: brokenChunk('length'), chunked: brokenChunk('chunked'), close: brokenChunk('close') },
  },
  { type: 'http_keepalive_kill', ending: 'FIN', gets: nothing },
  { type: 'http_keepalive_kill', attributes: { mode: 'rst' }, ending: 'ECONNRESET', gets: nothing },
]

/** The server does not get the request. */
const beforeServer = ({ type, attributes }: FaultSpec): boolean =>
  type === 'http_keepalive_kill' || attributes?.['when'] === 'before_request'

describe.each(killers)('$type $attributes', ({ ending, gets, ...spec }) => {
  test.each(framings)('ends a live connection by the book, with a body of kind %s', async (framing) => {
    await using proxied = await startHttp()
    const client = await proxied.connect()
    expect((await client.exchange(get('/before'))).bytes.toString()).toBe(BEFORE)
    proxied.proxy.addFault({ ...spec, match: { path: `/${framing}` } })
    client.send(get(`/${framing}`) + get('/behind'))
    expect(await client.raw.untilEnded()).toBe(ending)
    expect(client.rest).toBe(gets[framing])
    // The server's end goes the same way.
    expect(await proxied.upstream.sockets[0]?.untilEnded()).toBe(ending)
    const seen = proxied.upstream.lines.includes(`GET /${framing}`)
    expect(seen).toBe(!beforeServer(spec))
    expect(proxied.network.injections.total).toBe(1)
  })
})

test('the tables know every fault of HTTP', () => {
  // hang and the other kinds of malformed answers have files of their own.
  const known = new Set([...survivors, ...killers].map(({ type }) => type)).add('http_hang')
  expect(faultTypes().filter((type) => type.startsWith('http_') && !known.has(type))).toEqual([])
})
