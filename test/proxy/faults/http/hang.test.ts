// http_hang: nothing comes, until the fault is removed or the client gives up.
import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { BODY, get, request, startHttp } from '../../../support/http-faults.ts'
import { observe, untilInjection, untilTrue } from '../../../support/stream-faults.ts'

describe.each(['request', 'response'])('http_hang in phase %s', (phase) => {
  const spec = { type: 'http_hang', name: 'hang', attributes: { phase }, match: { path: '/length' } }

  test('answers never, and only the server knows of the request if it is to', async () => {
    await using proxied = await startHttp([spec])
    const client = await proxied.connect()
    client.send(get('/length'))
    await untilInjection(proxied.network, { action: 'hold' })
    // Long against the milliseconds that an answer takes.
    await observe(100)
    expect([client.rest, client.raw.ending]).toEqual(['', 'open'])
    expect(proxied.upstream.lines).toEqual(phase === 'request' ? [] : ['GET /length'])
  })

  test('lets everything go on when it is removed, with what came behind', async () => {
    await using proxied = await startHttp([spec])
    const client = await proxied.connect()
    client.send(get('/before') + get('/length') + get('/behind'))
    expect((await client.answer()).body).toBe('/before')
    await untilInjection(proxied.network, { action: 'hold' })
    proxied.proxy.removeFault('hang')
    expect((await client.answer()).body).toBe(BODY)
    expect((await client.answer()).body).toBe('/behind')
    expect((await client.exchange(get('/length'))).body).toBe(BODY)
    expect(proxied.upstream.lines).toEqual(['GET /before', 'GET /length', 'GET /behind', 'GET /length'])
  })

  test('takes hold on a connection that was opened before', async () => {
    await using proxied = await startHttp()
    const client = await proxied.connect()
    await client.exchange(get('/length'))
    proxied.proxy.addFault(spec)
    client.send(get('/length'))
    await untilInjection(proxied.network, { action: 'hold' })
    proxied.network.heal()
    expect((await client.answer()).body).toBe(BODY)
  })

  test('holds others up not at all', async () => {
    await using proxied = await startHttp([spec])
    const [hanging, other] = [await proxied.connect(), await proxied.connect()]
    hanging.send(get('/length'))
    await untilInjection(proxied.network, { action: 'hold' })
    expect((await other.exchange(get('/other'))).body).toBe('/other')
  })

  test("runs into a real client's time-out; removed, it leaves nothing behind", async () => {
    await using proxied = await startHttp([spec])
    const outcome = await new Promise<string>((resolve) => {
      const sent = http.get(`${proxied.url}/length`, { timeout: 50 }, () => resolve('an answer'))
      sent.on('timeout', () => sent.destroy(new Error('timed out')))
      sent.on('error', ({ message }) => resolve(message))
    })
    expect(outcome).toBe('timed out')
    // The client's FIN waits behind its request, as everything does.
    proxied.network.heal()
    await untilTrue(() => proxied.proxy.connections.size === 0, 'the end of the connection')
  })
})

test('a body that is sent into a hang is bounded', async () => {
  await using proxied = await startHttp([{ type: 'http_hang' }])
  const client = await proxied.connect()
  const body = 'x'.repeat(8 * 1024 * 1024)
  client.send(request('POST', '/', { body }))
  await untilInjection(proxied.network, { action: 'hold' })
  const held = () => [...proxied.proxy.connections].reduce((sum, connection) => sum + connection.heldBytes, 0)
  await untilTrue(() => held() >= 65_536, 'as much as is taken in')
  await observe(50)
  // One read of 256 KiB beyond the 64 KiB after which the client is not read any more; the rest waits in its kernel.
  expect(held()).toBeLessThanOrEqual(65_536 + 262_144)
  proxied.network.heal()
  await untilTrue(() => proxied.upstream.requests.length === 1, 'the request')
  expect(proxied.upstream.requests[0]?.body.length).toBe(body.length)
})
