import type { IncomingMessage, ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { createProbe } from '../../../experiments/probes/create.ts'
import type { HttpProbeSpec } from '../../../experiments/probes/http.ts'
import type { ProbeAnswer } from '../../../experiments/probes/probe.ts'
import { connectionAttempts, startDeafServer } from '../../support/deaf-server.ts'
import { startHttpService } from '../../support/http-service.ts'
import { postgresCertificate } from '../../support/postgres.ts'
import { freePort, RawServer } from '../../support/sockets.ts'

/** Polls end as soon as it is so; a busy machine may take longer than vitest's second. */
const WITHIN = { timeout: 5000 }
const never = new AbortController().signal

async function ask(spec: Omit<HttpProbeSpec, 'kind' | 'name'>): Promise<ProbeAnswer> {
  await using probe = createProbe({ kind: 'http', name: 'shop', ...spec })
  return await probe.run(never)
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { authorization, 'x-one': one } = request.headers
  let body = ''
  for await (const chunk of request) body += String(chunk)
  response.end(JSON.stringify([request.method, request.url, authorization, one, body]))
}

test('an answer from 200 to 299 is good, and what was seen comes with it', async () => {
  await using service = await startHttpService((_request, response) => {
    response.writeHead(201, { 'X-Version': '7' }).end('made')
  })
  const answer = await ask({ url: service.url })
  expect(answer).toMatchObject({ good: true, observed: { kind: 'http', status: 201, body: 'made' } })
  expect(answer.observed).toHaveProperty('headers.x-version', '7')
})

test('a redirect is an answer, and not a good one', async () => {
  await using service = await startHttpService((_request, response) => {
    response.writeHead(302, { Location: '/elsewhere' }).end()
  })
  expect(await ask({ url: service.url })).toMatchObject({ good: false, reason: 'status 302, expected 200 to 299' })
  expect((await ask({ url: service.url, expect: { status: [301, 302] } })).good).toBe(true)
  expect((await ask({ url: service.url, expect: { status: 'any' } })).good).toBe(true)
})

test('method, headers, body and the credentials of the URL are sent', async () => {
  await using service = await startHttpService((request, response) => {
    void echo(request, response)
  })
  const url = `http://ann:p%40ss@127.0.0.1:${service.port}/orders?all=1`
  const { observed } = await ask({ url, method: 'POST', headers: { 'X-One': '1' }, body: 'two' })
  const basic = `Basic ${Buffer.from('ann:p@ss').toString('base64')}`
  expect(observed).toHaveProperty('body', JSON.stringify(['POST', '/orders?all=1', basic, '1', 'two']))
})

describe('expectations', () => {
  const order = { state: 'paid', lines: [{ amount: 3 }, { amount: 4 }], total: 7 }

  test.each<[NonNullable<HttpProbeSpec['expect']>, string | undefined]>([
    [{ bodyMatches: '"state":"paid"' }, undefined],
    [{ bodyMatches: '/"total":\\d+/' }, undefined],
    [{ bodyMatches: 'open' }, 'body does not match "open"'],
    [{ headers: { 'X-Kind': 'order' } }, undefined],
    [{ headers: { 'x-kind': 'cart' } }, 'header x-kind does not match "cart"'],
    [{ headers: { 'X-Other': '/./' } }, 'header X-Other is missing'],
    [{ jsonPath: { path: '$.state' } }, undefined],
    [{ jsonPath: { path: '$.states' } }, '$.states selects nothing'],
    [{ jsonPath: { path: '$.state', equals: 'paid' } }, undefined],
    [{ jsonPath: { path: '$.state', equals: 'open' } }, '$.state is "paid", expected "open"'],
    [{ jsonPath: { path: '$.lines[*].amount', equals: [3, 4] } }, undefined],
    [{ jsonPath: { path: '$.lines[?@.amount > 3].amount', value: { op: '==', number: 4 } } }, undefined],
    [{ jsonPath: { path: '$.total', value: { op: '<', number: 7 } } }, '$.total: value 7, expected < 7'],
    [{ jsonPath: { path: '$.state', value: { op: '<', number: 7 } } }, '$.state: value "paid", expected a number'],
    [{ jsonPath: [{ path: '$.state' }, { path: '$.total', equals: 8 }] }, '$.total is 7, expected 8'],
  ])('%j', async (expectation, reason) => {
    await using service = await startHttpService((_request, response) => {
      response.setHeader('X-Kind', 'an order').end(JSON.stringify(order))
    })
    const answer = await ask({ url: service.url, expect: expectation })
    expect(answer.reason).toBe(reason)
    expect(answer.good).toBe(reason === undefined)
  })

  test('a number that a JSON path selects is the value', async () => {
    await using service = await startHttpService((_request, response) => void response.end(JSON.stringify(order)))
    expect(await ask({ url: service.url, expect: { jsonPath: { path: '$.total' } } })).toHaveProperty('value', 7)
  })

  test('a body that is no JSON has no path', async () => {
    await using service = await startHttpService((_request, response) => void response.end('{'))
    const answer = await ask({ url: service.url, expect: { jsonPath: { path: '$' } } })
    expect(answer).toMatchObject({ good: false, reason: 'body is not JSON' })
  })
})

describe('TLS', () => {
  test('a certificate of an unknown authority is refused, unless it is trusted or any may come', async () => {
    await using service = await startHttpService((_request, response) => void response.end('ok'), postgresCertificate)
    const refused = await ask({ url: service.url })
    expect(refused).toMatchObject({ good: false, reason: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    expect((await ask({ url: service.url, tls: { ca: postgresCertificate.cert } })).good).toBe(true)
    expect((await ask({ url: service.url, tls: { insecure: true } })).good).toBe(true)
    const other = await ask({ url: service.url, tls: { ca: postgresCertificate.cert, servername: 'example.org' } })
    expect(other).toMatchObject({ good: false, reason: 'ERR_TLS_CERT_ALTNAME_INVALID' })
  })
})

describe('failures', () => {
  test('nobody listens', async () => {
    const answer = await ask({ url: `http://127.0.0.1:${await freePort()}` })
    expect(answer).toEqual({ good: false, reason: 'ECONNREFUSED' })
  })

  test('the server hangs up without an answer', async () => {
    await using server = await RawServer.start((socket) => socket.end())
    expect(await ask({ url: `http://${server.address}` })).toEqual({ good: false, reason: 'other side closed' })
  })

  test.each([
    ['before the head', ''],
    ['within the body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'],
  ])('a server that stops %s is a timeout', async (_where, said) => {
    await using server = await RawServer.start((socket) => socket.write(said))
    const begunMs = performance.now()
    expect(await ask({ url: `http://${server.address}`, timeoutMs: 100 })).toEqual({ good: false, reason: 'timeout' })
    // Node's timers may be a millisecond early by this clock.
    expect(performance.now() - begunMs).toBeGreaterThan(98)
    // Nothing is left open: the server sees the end.
    expect(await server.sockets[0]!.untilEnded()).not.toBe('open')
  })

  test('a body of more than 1 MiB is not read', async () => {
    await using service = await startHttpService((_request, response) => {
      response.end(Buffer.alloc(1024 * 1024 + 1))
    })
    expect(await ask({ url: service.url })).toEqual({ good: false, reason: 'an answer of more than 1048576 bytes' })
    await expect.poll(() => service.connections, WITHIN).toBe(0)
  })
})

describe('connections', () => {
  test('are kept from one run to the next, or made anew', async () => {
    await using service = await startHttpService((_request, response) => void response.end())
    for (const connections of ['kept', 'fresh'] as const) {
      const before = service.accepted
      await using probe = createProbe({ kind: 'http', name: 'shop', url: service.url, connections })
      for (let run = 0; run < 3; run++) expect((await probe.run(never)).good).toBe(true)
      expect(service.accepted - before).toBe(connections === 'kept' ? 1 : 3)
    }
  })

  test('a run waits for no other, and all end with the probe', async () => {
    let asked = 0
    await using service = await startHttpService((_request, response) => {
      // The first fifteen are never answered.
      if (++asked > 15) response.end()
    })
    const probe = createProbe({ kind: 'http', name: 'shop', url: service.url, timeoutMs: 60_000 })
    const stuck = Array.from({ length: 15 }, () => probe.run(new AbortController().signal))
    await expect.poll(() => asked, WITHIN).toBe(15)
    expect((await probe.run(never)).good).toBe(true)
    await probe.close()
    for (const answer of await Promise.all(stuck)) expect(answer).toEqual({ good: false, reason: 'given up' })
    await expect.poll(() => service.connections, WITHIN).toBe(0)
    await expect(probe.run(never)).rejects.toThrow('the probe shop was closed')
  })

  test('a connection attempt does not outlive its run', async () => {
    using deaf = await startDeafServer()
    await using probe = createProbe({ kind: 'http', name: 'shop', url: `http://127.0.0.1:${deaf.port}`, timeoutMs: 50 })
    expect(await probe.run(never)).toEqual({ good: false, reason: 'timeout' })
    await expect.poll(connectionAttempts, WITHIN).toBe(0)
  })

  test('a run is given up by its signal, also one that has not begun', async () => {
    await using server = await RawServer.start()
    await using probe = createProbe({ kind: 'http', name: 'shop', url: `http://${server.address}` })
    const giveUp = new AbortController()
    const accepted = server.next()
    const running = probe.run(giveUp.signal)
    await accepted
    giveUp.abort()
    expect(await running).toEqual({ good: false, reason: 'given up' })
    expect(await probe.run(giveUp.signal)).toEqual({ good: false, reason: 'given up' })
  })
})

test.each<[Partial<HttpProbeSpec>, string]>([
  [{ url: 'shop:8080' }, 'url: expected a URL that begins with http:// or https://, got "shop:8080"'],
  [{ method: 'GET /' }, 'method: expected a method such as GET or POST, got "GET /"'],
  [{ timeoutMs: 0 }, 'timeoutMs: expected a number above 0 and at most 600000, got 0'],
  [{ name: '' }, 'name: expected a non-empty text, got ""'],
  [{ expect: { status: [20] } }, 'expect.status: expected integers from 100 to 999, got 20'],
  [{ expect: { status: [] } }, 'expect.status: expected at least one status, got []'],
  [{ expect: { bodyMatches: '/(/' } }, 'expect.bodyMatches: expected a regular expression in RE2 syntax'],
  [{ expect: { headers: { a: '/[/' } } }, 'expect.headers.a: expected a regular expression in RE2 syntax'],
  [
    { expect: { jsonPath: { path: 'state' } } },
    'expect.jsonPath.path: expected a JSON path as in RFC 9535, got "state"',
  ],
  [
    { expect: { jsonPath: [{ path: '$' }, { path: '$', value: { op: '=' as '<', number: 1 } }] } },
    'expect.jsonPath.1.value.op: expected one of < <= > >= == !=, got "="',
  ],
  [{ tls: { ca: 'x', cert: 'y' } }, 'tls: expected cert and key together, got "cert alone"'],
  [{ tls: { cert: 'x', key: 'y' } }, 'tls: expected certificates and keys in PEM'],
])('%j is refused before anything is asked', (wrong, message) => {
  const spec: HttpProbeSpec = { kind: 'http', name: 'shop', url: 'http://localhost', ...wrong }
  expect(() => createProbe(spec)).toThrow(message)
})
