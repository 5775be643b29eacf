// http_reset and http_truncate where the tables of connection.test.ts do not reach.
import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../../proxy/index.ts'
import { answer, BODY, get, request, startHttp } from '../../../support/http-faults.ts'
import { untilInjection } from '../../../support/stream-faults.ts'

const reset = (attributes: Record<string, unknown>) => ({ type: 'http_reset', name: 'reset', attributes })

/** 100 of 200 bytes. */
const halfAnswer = () => ({ bytes: answer('x'.repeat(200)).bytes.subarray(0, -100), close: false })

describe('before_request', () => {
  test('the server gets what came before, and nothing of the request', async () => {
    await using proxied = await startHttp([{ ...reset({ mode: 'fin' }), match: { path: '/target' } }])
    const client = await proxied.connect()
    await client.exchange(get('/first'))
    client.send(get('/before') + request('POST', '/target', { body: 'content' }))
    expect(await client.raw.untilEnded()).toBe('FIN')
    await proxied.upstream.sockets[0]?.untilEnded()
    expect(proxied.upstream.lines).toEqual(['GET /first', 'GET /before'])
    expect(proxied.upstream.sockets[0]?.text).not.toContain('target')
  })

  test('a client with a pool tries again and gets through, when only the first is reset', async () => {
    await using proxied = await startHttp([{ ...reset({}), times: 1 }])
    const codes: string[] = []
    const load = (): Promise<string> =>
      new Promise((resolve, reject) => {
        http.get(proxied.url, (response) => resolve(String(response.statusCode))).on('error', reject)
      })
    const outcome = await load().catch(async (error: NodeJS.ErrnoException) => {
      codes.push(error.code ?? '')
      return load()
    })
    expect([codes, outcome]).toEqual([['ECONNRESET'], '200'])
  })
})

describe('mid_body', () => {
  test.each([
    { attributes: { fraction: 0 }, bytes: 0 },
    { attributes: { fraction: 0.001 }, bytes: 0 },
    { attributes: { fraction: 0.9 }, bytes: 161 },
    { attributes: { fraction: 1 }, bytes: 179 },
    { attributes: { afterBytes: 1 }, bytes: 1 },
  ])('$attributes lets $bytes of 179 bytes pass', async ({ attributes, bytes }) => {
    await using proxied = await startHttp([reset({ when: 'mid_body', ...attributes })])
    const client = await proxied.connect()
    client.send(get('/length'))
    expect(await client.raw.untilEnded()).toBe('ECONNRESET')
    const { bytes: whole } = answer(BODY)
    expect(client.rest).toBe(whole.subarray(0, whole.length - BODY.length + bytes).toString())
    expect(proxied.network.injections.entries().map(({ detail }) => detail['offset'])).toEqual([bytes])
  })

  test('a body shorter than afterBytes passes, and so does one that is empty', async () => {
    await using proxied = await startHttp([reset({ when: 'mid_body', afterBytes: 180 })])
    const client = await proxied.connect()
    expect((await client.exchange(get('/length'))).body).toBe(BODY)
    expect((await client.exchange(get('/chunked'))).body).toBe(BODY)
    expect((await client.exchange('HEAD /length HTTP/1.1\r\nHost: test\r\n\r\n')).status).toBe(200)
    expect(proxied.actions()).toEqual([])
  })

  test.each([{ afterBytes: 2_000_001 }, { fraction: 0.666667 }])(
    'a large body is cut at the byte: %j',
    // The RST comes 20 ms behind the bytes, also to a client that had no core meanwhile: then it gets fewer.
    { retry: 3 },
    async (attributes) => {
      const large = Buffer.alloc(3_000_000, 'x')
      await using proxied = await startHttp([reset({ when: 'mid_body', ...attributes })], {
        respond: () => answer(large),
      })
      const client = await proxied.connect()
      client.send(get('/'))
      expect(await client.raw.untilEnded()).toBe('ECONNRESET')
      expect(client.raw.receivedBytes).toBe(answer(large).bytes.length - 999_999)
    },
  )

  test('an RST that has been decided comes at once when the fault is removed: bytes are missing', async () => {
    const clock = new ManualClock()
    await using proxied = await startHttp([reset({ when: 'mid_body' })], { clock })
    const client = await proxied.connect()
    client.send(get('/length'))
    await untilInjection(proxied.network, { action: 'reset' })
    expect(client.raw.ending).toBe('open')
    proxied.proxy.removeFault('reset')
    expect(await client.raw.untilEnded()).toBe('ECONNRESET')
    expect(clock.pendingTimers).toBe(0)
  })

  test('removed before its byte has come, it has done nothing', async () => {
    await using proxied = await startHttp([reset({ when: 'mid_body', afterBytes: 150 })], { respond: halfAnswer })
    const client = await proxied.connect()
    client.send(get('/'))
    await client.raw.until(() => client.rest.endsWith('x'.repeat(100)), 'the first half')
    proxied.proxy.removeFault('reset')
    proxied.upstream.sockets[0]?.write('x'.repeat(100))
    expect((await client.answer()).body).toBe('x'.repeat(200))
    expect(proxied.actions()).toEqual([])
  })
})

describe('http_truncate', () => {
  test.each([
    { path: '/length', offset: 89 },
    { path: '/chunked', offset: 30 },
    { path: '/close', offset: 89 },
  ])('says where it has cut $path', async ({ path, offset }) => {
    await using proxied = await startHttp([{ type: 'http_truncate' }])
    const client = await proxied.connect()
    client.send(get(path))
    expect(await client.raw.untilEnded()).toBe('FIN')
    expect(proxied.network.injections.entries().map(({ action, detail }) => [action, detail['offset']])).toEqual([
      ['truncate', offset],
    ])
  })

  test('fails the first answer only, with times: 1, and a client that tries again has all', async () => {
    await using proxied = await startHttp([{ type: 'http_truncate', times: 1 }])
    const [first, second] = [await proxied.connect(), await proxied.connect()]
    first.send(get('/length'))
    expect(await first.raw.untilEnded()).toBe('FIN')
    expect((await second.exchange(get('/length'))).body).toBe(BODY)
  })
})
