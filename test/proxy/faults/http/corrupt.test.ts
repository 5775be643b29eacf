// http_corrupt: other content in messages that are well-formed nevertheless.
import { brotliCompressSync, deflateSync, gunzipSync, gzipSync } from 'node:zlib'
import { fetch } from 'undici'
import { describe, expect, test } from 'vitest'
import { answer, BODY, framings, get, request, startHttp, type Framing } from '../../../support/http-faults.ts'

const corrupt = (attributes: Record<string, unknown>) => ({ type: 'http_corrupt', attributes })

const JSON_TYPE = 'Content-Type: application/json'

/** What a client gets of a body, with its headers. */
async function received(
  attributes: Record<string, unknown>,
  body: string | Buffer,
  headers: string[] = [JSON_TYPE],
  framing: Framing = 'length',
) {
  await using proxied = await startHttp([corrupt(attributes)], { respond: () => answer(body, { headers, framing }) })
  const client = await proxied.connect()
  const got = await client.exchange(get('/'))
  const events = proxied.network.events.entries().map(({ detail }) => detail['reason'])
  return {
    bytes: got.bytes,
    body: Buffer.from(got.body, 'latin1'),
    length: got.headers('content-length'),
    actions: proxied.actions(),
    events,
  }
}

const differing = (a: Buffer, b: Buffer): number => a.filter((byte, index) => byte !== b[index]).length

async function twoFlipped(seed: number): Promise<string[]> {
  await using proxied = await startHttp([corrupt({ rate: 0.2 })], { seed })
  const client = await proxied.connect()
  return [(await client.exchange(get('/length'))).body, (await client.exchange(get('/length'))).body]
}

describe('bits', () => {
  const zeros = Buffer.alloc(20_000)

  test('are flipped in about the share of bytes, and no byte comes or goes', async () => {
    const { body, length, actions } = await received({ rate: 0.1 }, zeros)
    expect([body.length, length, actions]).toEqual([20_000, ['20000'], ['corrupt']])
    // The seed is fixed: 2000 are expected, with a standard deviation of 42.
    expect(Math.abs(differing(body, zeros) - 2000)).toBeLessThan(200)
    // All kinds of flips: of 255 kinds, 2000 draws miss hardly any.
    expect(new Set(body).size).toBeGreaterThan(240)
  })

  test.each(framings)('are chosen by offset: the same in a body of kind %s', async (framing) => {
    const plain = await received({ rate: 0.1 }, BODY)
    expect((await received({ rate: 0.1 }, BODY, [], framing)).body).toEqual(plain.body)
  })

  test('are flipped in none at a rate of 0, which is not on record', async () => {
    const { body, actions } = await received({ rate: 0 }, BODY)
    expect([body.toString(), actions]).toEqual([BODY, []])
  })

  test('are others in each message, and the same with the same seed', async () => {
    const [first, second] = await twoFlipped(1)
    expect(second).not.toBe(first)
    expect(await twoFlipped(1)).toEqual([first, second])
    expect((await twoFlipped(2))[0]).not.toBe(first)
  })

  test('of coded content are others in each message as well', async () => {
    const respond = () => answer(gzipSync(zeros), { headers: ['Content-Encoding: gzip'] })
    await using proxied = await startHttp([corrupt({ rate: 0.1 })], { respond })
    const client = await proxied.connect()
    const [first, second] = [await client.exchange(get('/')), await client.exchange(get('/'))]
    const decoded = [first, second].map(({ body }) => gunzipSync(Buffer.from(body, 'latin1')))
    expect(decoded[0]?.equals(decoded[1] ?? zeros)).toBe(false)
  })

  test('of coded content are flipped before it is coded again', async () => {
    const { body, actions } = await received({ rate: 0.1 }, gzipSync(zeros), ['Content-Encoding: gzip'])
    expect(Math.abs(differing(gunzipSync(body), zeros) - 2000)).toBeLessThan(200)
    expect(actions).toEqual(['corrupt'])
  })
})

describe('text', () => {
  test('is replaced wherever it is, byte by byte in any charset', async () => {
    const latin1 = Buffer.from('caf\xe9 price; caf\xe9 price', 'latin1')
    const { body, length } = await received({ replace: { find: 'price', with: 'preis €' } }, latin1)
    expect(body.toString('latin1').replaceAll('\xe2\x82\xac', 'EUR')).toBe('caf\xe9 preis EUR; caf\xe9 preis EUR')
    expect(length).toEqual([String(body.length)])
  })

  test('that is not there changes nothing, and nothing is on record', async () => {
    const { bytes, actions } = await received({ replace: { find: 'absent', with: 'x' } }, BODY, [], 'chunked')
    expect([bytes.toString(), actions]).toEqual([answer(BODY, { framing: 'chunked' }).bytes.toString(), []])
  })

  test('is not taken for a pattern', async () => {
    const { body } = await received({ replace: { find: '.', with: '$&' } }, 'a.b')
    expect(body.toString()).toBe('a$&b')
  })

  test('does not grow beyond measure', async () => {
    const { body } = await received({ replace: { find: 'x', with: 'y'.repeat(10_000) } }, 'x'.repeat(10_000))
    expect(body.toString()).toBe('x'.repeat(10_000))
  })

  test('can be the whole body, also an empty one', async () => {
    expect((await received({ text: '{"cut' }, '{"whole": true}')).body.toString()).toBe('{"cut')
    const { body, length } = await received({ text: '' }, BODY)
    expect([body.length, length]).toEqual([0, ['0']])
  })
})

describe('a JSON patch', () => {
  const order = {
    id: 7,
    items: [
      { sku: 'a', price: 10 },
      { sku: 'b', price: 20 },
    ],
    'a/b': 1,
  }
  const patched = async (jsonPatch: object[], body: unknown = order): Promise<unknown> => {
    const got = await received({ jsonPatch }, JSON.stringify(body))
    expect(got.actions).toEqual(['corrupt'])
    return JSON.parse(got.body.toString())
  }

  test.each([
    [
      [{ op: 'replace', path: '/items/1/price', value: -1 }],
      { ...order, items: [order.items[0], { sku: 'b', price: -1 }] },
    ],
    [[{ op: 'remove', path: '/items/0' }], { ...order, items: [order.items[1]] }],
    [[{ op: 'add', path: '/items/-', value: null }], { ...order, items: [...order.items, null] }],
    [[{ op: 'add', path: '/a~1b', value: 2 }], { ...order, 'a/b': 2 }],
    [[{ op: 'copy', from: '/id', path: '/copy' }], { ...order, copy: 7 }],
    [[{ op: 'move', from: '/items', path: '/id' }], { id: order.items, 'a/b': 1 }],
    [[{ op: 'replace', path: '', value: 'all' }], 'all'],
    [
      [
        { op: 'test', path: '/id', value: 7 },
        { op: 'remove', path: '/id' },
      ],
      { items: order.items, 'a/b': 1 },
    ],
  ])('%j is applied', async (jsonPatch, expected) => {
    expect(await patched(jsonPatch)).toEqual(expected)
  })

  test.each([
    ['a patch that does not fit', [{ op: 'remove', path: '/absent' }], JSON.stringify(order)],
    [
      'a test that fails',
      [
        { op: 'test', path: '/id', value: 8 },
        { op: 'remove', path: '/id' },
      ],
      JSON.stringify(order),
    ],
    [
      'a patch that fits in part',
      [
        { op: 'remove', path: '/id' },
        { op: 'remove', path: '/id' },
      ],
      JSON.stringify(order),
    ],
    ['no JSON', [{ op: 'add', path: '/a', value: 1 }], 'oops'],
    ['an empty body', [{ op: 'add', path: '/a', value: 1 }], ''],
    ['a document that is removed', [{ op: 'remove', path: '' }], '1'],
    ['a document nested too deeply', [{ op: 'test', path: '/0', value: 1 }], '['.repeat(100_000) + ']'.repeat(100_000)],
    [
      'a patch that doubles the document again and again',
      Array.from({ length: 100 }, (_, index) => ({ op: 'copy', from: '', path: `/${index}` })),
      '{"a":1}',
    ],
  ])('%s leaves the body as it was, and is not on record', async (_, jsonPatch, body) => {
    const { bytes, actions } = await received({ jsonPatch }, body)
    expect(bytes.equals(answer(body, { headers: [JSON_TYPE] }).bytes)).toBe(true)
    expect(actions).toEqual([])
  })

  test('does not reach beyond its document', async () => {
    await received({ jsonPatch: [{ op: 'add', path: '/__proto__/polluted', value: 1 }] }, '{}')
    await received({ jsonPatch: [{ op: 'add', path: '/constructor/prototype/polluted', value: 1 }] }, '{}')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})

describe('content codings', () => {
  const attributes = { replace: { find: 'line', with: 'number' } }
  const expected = BODY.replaceAll('line', 'number')

  test.each([
    ['gzip', gzipSync(BODY)],
    ['deflate', deflateSync(BODY)],
    ['br', brotliCompressSync(BODY)],
  ])('%s is decoded, changed, and coded again, as a real client sees', async (coding, coded) => {
    const respond = () => answer(coded, { headers: [`Content-Encoding: ${coding}`], framing: 'chunked' })
    await using proxied = await startHttp([corrupt(attributes)], { respond })
    const response = await fetch(proxied.url)
    expect(response.headers.get('content-encoding')).toBe(coding)
    expect(await response.text()).toBe(expected)
  })

  test('that are unknown leave the body as it was, which an event says', async () => {
    const { bytes, actions, events } = await received(attributes, BODY, ['Content-Encoding: zstd'])
    expect(bytes).toEqual(answer(BODY, { headers: ['Content-Encoding: zstd'] }).bytes)
    expect([actions, events]).toEqual([[], ['the body has a content coding that can not be looked into']])
  })
})

test('a body above 1 MiB passes unchanged, which an event says', async () => {
  const large = 'line'.repeat(300_000)
  const { body, actions, events } = await received({ replace: { find: 'line', with: 'x' } }, large, [])
  expect(body.toString() === large).toBe(true)
  expect([actions, events]).toEqual([[], ['the body is longer than 1048576 bytes']])
})

test.each([{ text: 'changed' }, { replace: { find: 'sent', with: 'changed' } }])(
  "a request's body is changed before the server gets it: %j",
  async (attributes) => {
    await using proxied = await startHttp([corrupt({ phase: 'request', ...attributes })])
    const client = await proxied.connect()
    client.send(request('POST', '/order', { body: 'sent' }) + get('/behind'))
    expect((await client.answer()).body).toBe('/order')
    expect((await client.answer()).body).toBe('/behind')
    expect(proxied.upstream.requests[0]?.body).toBe('changed')
  },
)

test('answers without a body stay as they are', async () => {
  await using proxied = await startHttp([corrupt({ text: 'new' })])
  const client = await proxied.connect()
  const { bytes } = await client.exchange('HEAD /length HTTP/1.1\r\nHost: test\r\n\r\n')
  expect(bytes.toString()).toBe(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n`)
  expect(proxied.actions()).toEqual([])
})
