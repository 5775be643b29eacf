// What an HTTP connection does beside faults: pairing, limits, what can't be understood, options of the proxy.
import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Network, type FaultSpec, type ProxySpec } from '../../../../proxy/index.ts'
import { portOf, startProxied, type Proxied } from '../../../support/proxied.ts'
import { freePort, RawSocket } from '../../../support/sockets.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

function startHttp(faults: readonly FaultSpec[] = [], spec: Partial<ProxySpec> = {}): Promise<Proxied> {
  return startProxied(faults, {}, { protocol: 'http', ...spec })
}

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: a', ...headers, '', ''].join('\r\n')

const untilText = (socket: RawSocket, text: string): Promise<void> =>
  socket.until(() => socket.text.includes(text), JSON.stringify(text))

const abort = (match: object, attributes: object = {}): FaultSpec => ({
  type: 'http_abort',
  match: { ...match },
  attributes: { status: 503, body: 'no', ...attributes },
})

describe('answers of the proxy', () => {
  const NO = /^HTTP\/1\.1 503 Service Unavailable\r\n(?:.+\r\n)*Content-Length: 2\r\n\r\nno$/

  test('keep their place between the answers of the server', async () => {
    await using proxied = await startHttp([abort({ path: '/no' })])
    const { client, server } = await proxied.connect()
    client.write(get('/1') + get('/no') + get('/2'))
    await untilText(server, get('/2'))
    expect(server.text).toBe(get('/1') + get('/2'))
    expect(client.receivedBytes).toBe(0)
    server.write(OK.replace('ok', '#1') + OK.replace('ok', '#2'))
    await untilText(client, '#2')
    const [first, second, third] = client.text.split(/(?=HTTP\/1\.1)/)
    expect([first, third]).toEqual([OK.replace('ok', '#1'), OK.replace('ok', '#2')])
    expect(second).toMatch(NO)
  })

  test.each([
    ['Connection: close', get('/no', 'Connection: close')],
    ['HTTP/1.0', 'GET /no HTTP/1.0\r\n\r\n'],
  ])('end the connection for a client that wants it: %s', async (_what, request) => {
    await using proxied = await startHttp([abort({})])
    const { client, server } = await proxied.connect()
    client.write(request)
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toMatch(/\r\nConnection: close\r\n/)
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.receivedBytes).toBe(0)
  })

  test('wait for the whole request before the connection is closed', async () => {
    await using proxied = await startHttp([abort({})])
    const { client } = await proxied.connect()
    client.write('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 10\r\n\r\n01234')
    await untilText(client, 'no')
    expect(client.ending).toBe('open')
    client.write('56789')
    expect(await client.untilEnded()).toBe('FIN')
  })

  test('to HEAD have no body', async () => {
    await using proxied = await startHttp([abort({})])
    const { client } = await proxied.connect()
    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    await untilText(client, '\r\n\r\n')
    client.write(get('/'))
    await untilText(client, 'no')
    expect(client.text.match(/no/g)).toHaveLength(1)
  })

  test('do not pile up for a client that does not read them', async () => {
    await using proxied = await startHttp([abort({}, { body: 'x'.repeat(100_000) })])
    const { client } = await proxied.connect()
    client.socket.pause()
    const requests = 2000
    client.write(get('/').repeat(requests))
    const [connection] = proxied.proxy.connections
    const upstream = proxied.proxy.traffic.downstream
    await expect.poll(() => upstream.sentBytes).toBeGreaterThan(100_000)
    // Kernel buffers of both sockets, measured below 6 MB; 2,000 answers would be 200 MB.
    expect(upstream.sentBytes).toBeLessThan(20e6)
    expect(connection?.heldBytes).toBeLessThan(200_000)
    client.socket.resume()
    await client.until(() => client.receivedBytes > requests * 100_000, 'all answers', 20_000)
  })
})

/** A proxy of a server that is not there, and a client of it. */
async function connectToNobody(faults: readonly FaultSpec[]): Promise<{ network: Network; client: RawSocket }> {
  const network = new Network()
  const upstream = `127.0.0.1:${await freePort()}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream, faults })
  const client = await RawSocket.connect(portOf(proxy))
  return { network, client }
}

describe('a server that is not there', () => {
  test('is not missed by requests that the proxy answers, and by others is', async () => {
    const { network, client } = await connectToNobody([abort({ path: '/no' })])
    await using _ = network
    for (const count of [1, 2]) {
      client.write(get('/no'))
      await client.until(() => client.text.split('\r\n\r\nno').length === count + 1, `answer ${count}`)
    }
    client.write(get('/other'))
    expect(await client.untilEnded()).toBe('ECONNRESET')
  })

  test('does not keep the connection open when the client is done', async () => {
    const { network, client } = await connectToNobody([abort({ path: '/no' })])
    await using _ = network
    client.end(get('/no'))
    await untilText(client, '\r\n\r\nno')
    expect(await client.untilEnded()).toBe('FIN')
    await expect.poll(() => network.proxy('p')?.connections.size).toBe(0)
  })

  test('is missed at once without such a fault', async () => {
    const { network, client } = await connectToNobody([
      { type: 'http_delay', attributes: { phase: 'response', delayMs: 1 } },
    ])
    await using _ = network
    expect(await client.untilEnded()).toBe('ECONNRESET')
  })
})

describe('waiting', () => {
  test('no more than 1,000 requests wait for answers where faults may act', async () => {
    await using proxied = await startHttp([{ type: 'http_hang', match: { path: '/never' } }])
    const { client, server } = await proxied.connect()
    const requests = 3000
    client.write(get('/').repeat(requests))
    await server.untilBytes(1000 * get('/').length)
    server.write(OK)
    await server.untilBytes(1001 * get('/').length)
    expect(server.receivedBytes).toBe(1001 * get('/').length)
    for (let answer = 1; answer < requests; answer++) server.write(OK)
    await client.untilBytes(requests * OK.length)
    await server.untilBytes(requests * get('/').length)
  })

  test('without faults they are bounded, too', async () => {
    await using proxied = await startHttp()
    const { client, server } = await proxied.connect()
    const requests = 50_000 // more than twice what may be outstanding
    let answered = 0
    let mostOutstanding = 0
    const answerSome = (): void => {
      const outstanding = Math.floor(server.receivedBytes / get('/').length) - answered
      mostOutstanding = Math.max(mostOutstanding, outstanding)
      const count = Math.min(outstanding, 100)
      answered += count
      if (count > 0) server.write(OK.repeat(count))
      if (answered < requests) setImmediate(answerSome)
    }
    client.write(get('/').repeat(requests))
    answerSome()
    await client.untilBytes(requests * OK.length, 20_000)
    // A read is at most 256 KiB, and one more is on its way when the client is paused.
    expect(mostOutstanding).toBeLessThan(1000 + (2 * 262_144) / get('/').length)
  })

  test('a client that waits for 100 Continue is told so by a match on its body', async () => {
    const fault: FaultSpec = { type: 'http_abort', match: { body: 'bad' }, attributes: { status: 422 } }
    await using proxied = await startHttp([fault])
    const { client, server } = await proxied.connect()
    const head = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n'
    client.write(head)
    await untilText(client, 'HTTP/1.1 100 Continue\r\n\r\n')
    expect(server.receivedBytes).toBe(0)
    client.write('good')
    await untilText(server, 'good')
    expect(server.text).toBe(`${head}good`)
    server.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)
    await untilText(client, OK)
    expect(client.text).toBe(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)
  })

  test('a client that ends before its request is complete is passed on as it is', async () => {
    const fault: FaultSpec = { type: 'http_abort', match: { path: '/never' } }
    await using proxied = await startHttp([fault])
    const { client, server } = await proxied.connect()
    client.end('GET / HTTP/1.1\r\nHost')
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe('GET / HTTP/1.1\r\nHost')
  })

  test('what follows an upgrade waits for the answer, and is the next request if the server refuses', async () => {
    await using proxied = await startHttp([abort({ path: '/never' })]) // without a fault nothing waits
    const { client, server } = await proxied.connect()
    const upgrade = get('/', 'Connection: Upgrade', 'Upgrade: other')
    client.write(upgrade + get('/next'))
    await untilText(server, upgrade)
    expect(server.text).toBe(upgrade)
    server.write(OK)
    await untilText(server, '/next')
    server.write(OK)
    await client.untilBytes(2 * OK.length)
  })

  test('behind 101 everything passes both ways', async () => {
    await using proxied = await startHttp([{ type: 'http_abort', match: { path: '/secret' } }])
    const { client, server } = await proxied.connect()
    const upgrade = get('/', 'Connection: Upgrade', 'Upgrade: other')
    client.write(`${upgrade}early`)
    await untilText(server, upgrade)
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n'
    server.write(`${switching}hello`)
    client.write(get('/secret'))
    await untilText(server, '/secret HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(server.text).toBe(`${upgrade}early${get('/secret')}`)
    await untilText(client, 'hello')
    expect(client.text).toBe(`${switching}hello`)
  })
})

describe('what can not be understood', () => {
  const AMBIGUOUS = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'

  test('passes as it is, with an event and a counter, and without faults from then on', async () => {
    await using proxied = await startHttp([{ type: 'http_abort', match: { path: '/no' } }])
    const { client, server } = await proxied.connect()
    client.write(AMBIGUOUS + get('/no'))
    await untilText(server, get('/no'))
    expect(server.text).toBe(AMBIGUOUS + get('/no'))
    server.write(OK)
    await untilText(client, OK)
    expect(proxied.proxy.counters.opaqueConnections).toBe(1)
    const reason = 'both Content-Length and Transfer-Encoding'
    expect(proxied.network.events.entries()).toMatchObject([
      { type: 'opaque', proxy: 'p', connection: 1, detail: { protocol: 'http', direction: 'upstream', reason } },
    ])
    // A fault that comes later is told about, too.
    proxied.proxy.addFault({ type: 'http_hang' })
    expect(proxied.network.events.entries().at(-1)).toMatchObject({
      type: 'fault_not_applied',
      detail: { fault: 'http_hang_upstream', reason },
    })
  })

  test('a server that speaks first, and not HTTP, is heard at once', async () => {
    await using proxied = await startHttp([{ type: 'http_abort' }])
    const { client, server } = await proxied.connect()
    server.write('220 ready\r\n')
    await untilText(client, '220 ready\r\n')
    client.write('EHLO x\r\n')
    await untilText(server, 'EHLO x\r\n')
  })

  test('with strict gets 400, and the server sees nothing of it', async () => {
    await using proxied = await startHttp([], { strict: true })
    const { client, server } = await proxied.connect()
    client.write(AMBIGUOUS)
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(client.text).toMatch(/both Content-Length and Transfer-Encoding/)
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).not.toContain('Transfer-Encoding')
  })

  test('with strict an answer gets 502', async () => {
    await using proxied = await startHttp([], { strict: true })
    const { client, server } = await proxied.connect()
    client.write(get('/'))
    await untilText(server, get('/'))
    server.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab')
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.text).toMatch(/^HTTP\/1\.1 502 Bad Gateway\r\n/)
  })
})

describe('refused when it is added', () => {
  test.each<[string, Partial<ProxySpec>, FaultSpec, RegExp]>([
    [
      'an HTTP fault on a TCP proxy',
      { protocol: 'tcp' },
      { type: 'http_abort' },
      /^type: http_abort needs a proxy with/,
    ],
    ['a path on a stream fault', {}, { type: 'latency', match: { path: '/' } }, /^match\.path: unknown field/],
    ['a bad regex', {}, { type: 'http_abort', match: { path: { regex: '(' } } }, /^match\.path\.regex: expected/],
    ['a status on a request', {}, { type: 'http_abort', match: { status: 500 } }, /^match\.status: expected nothing/],
    ['an unknown part', {}, { type: 'http_abort', match: { pth: '/' } }, /^match\.pth: .*did you mean "path"/],
    ['a wrong direction', {}, { type: 'http_abort', direction: 'downstream' }, /^direction: expected "upstream"/],
    ['times of 0', {}, { type: 'http_abort', times: 0 }, /^times: expected an integer ≥ 1/],
    [
      'a file without a directory',
      {},
      { type: 'http_abort', attributes: { bodyFile: 'a' } },
      /bodyFile: expected no file/,
    ],
  ])('%s', async (_what, spec, fault, message) => {
    await using proxied = await startProxied([], {}, { protocol: 'http', ...spec })
    expect(() => proxied.proxy.addFault(fault)).toThrow(message)
    expect([...proxied.proxy.faults]).toEqual([])
  })

  test('an option of another protocol', async () => {
    await using network = new Network()
    const spec = { name: 'p', upstream: '127.0.0.1:1', strict: true }
    await expect(network.createProxy(spec)).rejects.toThrow(/^strict: expected nothing/)
  })
})

describe('files that faults send', () => {
  test('come out of the one directory and nowhere else', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'faultline-'))
    writeFileSync(join(directory, 'answer.json'), '{"error":"file"}')
    symlinkSync('/etc/hostname', join(directory, 'outside'))
    await using proxied = await startProxied([], { filesDirectory: directory }, { protocol: 'http' })
    const add = (bodyFile: string) => proxied.proxy.addFault({ type: 'http_abort', attributes: { bodyFile } })
    for (const path of ['../../etc/passwd', '/etc/passwd', 'outside', 'missing', '.']) {
      expect(() => add(path)).toThrow(/^attributes\.bodyFile: expected a (?:readable )?file/)
    }
    add('answer.json')
    const { client } = await proxied.connect()
    client.write(get('/'))
    await untilText(client, '{"error":"file"}')
  })
})
