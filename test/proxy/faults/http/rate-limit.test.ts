// http_rate_limit: 429 above so many requests in a window.
import { fetch } from 'undici'
import { expect, test } from 'vitest'
import type { HttpMessage, HttpRule } from '../../../../proxy/faults/http/http-fault.ts'
import { InstalledFault, ManualClock } from '../../../../proxy/index.ts'
import { HttpRequest } from '../../../../proxy/protocols/http/request.ts'
import { Random } from '../../../../proxy/random.ts'
import { get, startHttp, type HttpProxied, type ReceivedAnswer } from '../../../support/http-faults.ts'

const limit = (attributes: Record<string, unknown>) => ({ type: 'http_rate_limit', name: 'limit', attributes })

/** One request, on a connection of its own: the count is that of the proxy. */
async function once(proxied: HttpProxied, headers: string[] = []): Promise<ReceivedAnswer> {
  const client = await proxied.connect()
  const answer = await client.exchange(get('/', headers))
  client.raw.end()
  return answer
}

async function statuses(proxied: HttpProxied, count: number, headers: string[] = []): Promise<number[]> {
  const seen: number[] = []
  for (let index = 0; index < count; index++) seen.push((await once(proxied, headers)).status)
  return seen
}

test('lets the limit pass in a window that begins with its first request, over all connections', async () => {
  const clock = new ManualClock()
  await using proxied = await startHttp([limit({ limit: 2, windowMs: 1000 })], { clock })
  clock.advance(12_345)
  expect(await statuses(proxied, 3)).toEqual([200, 200, 429])
  clock.advance(999)
  expect(await statuses(proxied, 1)).toEqual([429])
  clock.advance(1)
  expect(await statuses(proxied, 3)).toEqual([200, 200, 429])
  // Only what was limited is on record.
  expect(proxied.actions()).toEqual(['answer', 'answer', 'answer'])
})

test('says when it is over, in whole seconds rounded up', async () => {
  const clock = new ManualClock()
  await using proxied = await startHttp([limit({ limit: 1, windowMs: 10_000, body: { retry: true } })], { clock })
  await once(proxied)
  clock.advance(2500)
  const { bytes } = await once(proxied)
  expect(bytes.toString()).toBe(
    'HTTP/1.1 429 Too Many Requests\r\nRetry-After: 8\r\nRateLimit-Limit: 1\r\nRateLimit-Remaining: 0\r\n' +
      'RateLimit-Reset: 8\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"retry":true}',
  )
  clock.advance(7499)
  expect((await once(proxied)).headers('retry-after')).toEqual(['1'])
})

test('a client that waits for Retry-After gets through', async () => {
  const clock = new ManualClock()
  await using proxied = await startHttp([limit({ limit: 1, windowMs: 1500 })], { clock })
  await once(proxied)
  clock.advance(100)
  const response = await fetch(proxied.url)
  expect(response.status).toBe(429)
  clock.advance(Number(response.headers.get('retry-after')) * 1000)
  expect((await fetch(proxied.url)).status).toBe(200)
})

test('counts for each value of a header', async () => {
  await using proxied = await startHttp([limit({ limit: 1, keyHeader: 'X-Api-Key', status: 503 })])
  expect(await statuses(proxied, 2, ['x-api-key: a'])).toEqual([200, 503])
  expect(await statuses(proxied, 2, ['X-API-KEY: b'])).toEqual([200, 503])
  expect(await statuses(proxied, 2)).toEqual([200, 503])
})

test('keeps so many keys at a time, and forgets the one that was not used for longest', () => {
  const spec = limit({ limit: 1, keyHeader: 'K' })
  const rule = InstalledFault.fromSpec(spec).rule as HttpRule
  const context = { clock: new ManualClock(), random: new Random('none') }
  const limits = (key: string): boolean => {
    const request = new HttpRequest(get('/', [`K: ${key}`]))
    return rule.decide({ request } as HttpMessage, context).kind === 'answer'
  }
  expect([limits('unused'), limits('used')]).toEqual([false, false])
  for (let index = 0; index < 10_000; index++) {
    limits(String(index))
    if (index === 5000) expect(limits('used')).toBe(true)
  }
  // 10,000 are kept: `unused` and 0 were too many.
  expect([limits('used'), limits('unused')]).toEqual([true, false])
})

test('a changed limit begins all windows anew', async () => {
  await using proxied = await startHttp([limit({ limit: 1 })])
  expect(await statuses(proxied, 2)).toEqual([200, 429])
  proxied.proxy.updateFault('limit', { attributes: { limit: 2 } })
  expect(await statuses(proxied, 3)).toEqual([200, 200, 429])
})

test('counts only what matches', async () => {
  await using proxied = await startHttp([{ ...limit({ limit: 0 }), match: { path: '/limited' } }])
  const client = await proxied.connect()
  expect((await client.exchange(get('/limited'))).status).toBe(429)
  expect((await client.exchange(get('/free'))).status).toBe(200)
})
