// Which messages faults act on: skip, times, every, key and probability, by exact counts, over all connections.
import { expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { get, request, startHttp, type HttpProxied } from '../../../support/http-faults.ts'
import { untilTrue } from '../../../support/stream-faults.ts'

const ABORT: FaultSpec = { type: 'http_abort', attributes: { status: 503 } }

/** One request after the other, each on a connection of its own if asked for. Returns `1` for aborted, `.` for passed. */
async function outcomes(proxied: HttpProxied, texts: readonly string[], { reconnect = false } = {}): Promise<string> {
  let client = await proxied.connect()
  let seen = ''
  for (const text of texts) {
    if (reconnect) client = await proxied.connect()
    const { status } = await client.exchange(text)
    seen += status === 503 ? '1' : '.'
  }
  return seen
}

const acted = (seen: string): number => seen.replaceAll('.', '').length

const gets = (count: number): string[] => Array.from({ length: count }, () => get('/'))

test.each([
  { spec: {}, seen: '1111111111' },
  { spec: { skip: 3 }, seen: '...1111111' },
  { spec: { times: 2 }, seen: '11........' },
  { spec: { every: 3 }, seen: '..1..1..1.' },
  { spec: { skip: 1, every: 2, times: 3 }, seen: '..1.1.1...' },
  { spec: { probability: 0 }, seen: '..........' },
])('$spec chooses $seen, on one connection and on many', async ({ spec, seen }) => {
  for (const reconnect of [false, true]) {
    await using proxied = await startHttp([{ ...ABORT, ...spec }])
    expect(await outcomes(proxied, gets(10), { reconnect })).toBe(seen)
    expect(proxied.network.injections.total).toBe(acted(seen))
  }
})

test('pipelined requests are counted one by one', async () => {
  await using proxied = await startHttp([{ ...ABORT, every: 2 }])
  const client = await proxied.connect()
  client.send(gets(4).join(''))
  const statuses: number[] = []
  for (let index = 0; index < 4; index++) statuses.push((await client.answer()).status)
  expect(statuses).toEqual([200, 503, 200, 503])
})

test('only messages that match are counted', async () => {
  await using proxied = await startHttp([{ ...ABORT, skip: 1, times: 1, match: { method: 'POST', path: '/orders' } }])
  const post = request('POST', '/orders', { body: '{}' })
  expect(await outcomes(proxied, [get('/orders'), post, get('/orders'), get('/'), post, post])).toBe('....1.')
})

const order = (key: string): string =>
  request('POST', '/orders', { headers: [`idempotency-key: ${key}`], body: `{"order":"${key}"}` })

test('the first two POSTs to /orders fail, for each idempotency key, then all pass', async () => {
  const spec: FaultSpec = {
    ...ABORT,
    times: 2,
    key: 'Idempotency-Key',
    match: { method: 'POST', path: '/orders' },
  }
  await using proxied = await startHttp([spec])
  const rounds = Array.from({ length: 4 }, () => ['a', 'b', 'c'].map(order)).flat()
  expect(await outcomes(proxied, rounds, { reconnect: true })).toBe('111111......')
  // The server has got each order twice, and none of the failed ones.
  expect(proxied.upstream.requests.map(({ body }) => body).toSorted()).toEqual(
    ['a', 'a', 'b', 'b', 'c', 'c'].map((key) => `{"order":"${key}"}`),
  )
  const acts = proxied.network.injections.entries()
  expect(
    acts.map(({ action, detail }) => `${action} ${detail['method']} ${detail['path']} ${detail['status']}`),
  ).toEqual(Array.from({ length: 6 }, () => 'answer POST /orders 503'))
})

test('requests without the key are counted together', async () => {
  await using proxied = await startHttp([{ ...ABORT, times: 1, key: 'X-Key' }])
  expect(await outcomes(proxied, [get('/'), get('/'), get('/', ['X-Key: a']), get('/', ['X-Key: a'])])).toBe('1.1.')
})

test('counts survive a change of attributes', async () => {
  await using proxied = await startHttp([{ ...ABORT, name: 'first-two', times: 2 }])
  expect(await outcomes(proxied, gets(1))).toBe('1')
  proxied.proxy.updateFault('first-two', { attributes: { body: 'changed' } })
  expect(await outcomes(proxied, gets(3))).toBe('1..')
})

/** What of 50 requests a probability of 0.3 chooses. */
async function drawn(seed: number, others: readonly FaultSpec[] = []): Promise<string> {
  await using proxied = await startHttp([...others, { ...ABORT, name: 'subject', probability: 0.3 }], { seed })
  return await outcomes(proxied, gets(50))
}

test('a probability is drawn for each message, the same with the same seed', async () => {
  const [first, again, other] = [await drawn(7), await drawn(7), await drawn(8)]
  expect(again).toBe(first)
  expect(other).not.toBe(first)
  // The seed is fixed, so this does not vary: some, and about 15 of 50.
  const count = acted(first)
  expect(count).toBeGreaterThanOrEqual(8)
  expect(count).toBeLessThanOrEqual(22)
})

test('a probability draws alike whatever other faults do', async () => {
  const alone = await drawn(1)
  expect(await drawn(1, [{ type: 'http_delay', attributes: { delayMs: 1 }, probability: 0.5 }])).toBe(alone)
})

test.each([
  { type: 'http_truncate' },
  { type: 'http_reset', attributes: { when: 'mid_body' } },
  { type: 'http_slow_body', attributes: { rateBytesPerSecond: 100_000 } },
  { type: 'http_slow_body', attributes: { chunks: 2, durationMs: 2 } },
  { type: 'http_corrupt', attributes: { rate: 1 } },
  { type: 'http_corrupt', attributes: { text: '' } },
  { type: 'http_malformed', attributes: { kind: 'chunk' } },
] satisfies FaultSpec[])('messages without a body are not counted by $type $attributes', async (spec) => {
  await using proxied = await startHttp([{ ...spec, times: 1 }])
  const client = await proxied.connect()
  await client.exchange('HEAD /length HTTP/1.1\r\nHost: test\r\n\r\n')
  await client.exchange('HEAD /chunked HTTP/1.1\r\nHost: test\r\n\r\n')
  expect(proxied.actions()).toEqual([])
  client.send(get('/length'))
  await untilTrue(() => proxied.actions().length === 1, 'an act')
})
