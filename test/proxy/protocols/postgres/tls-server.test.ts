// The proxy as a TLS client of the server: whom it trusts, and what clients hear when TLS with the server fails.
import { describe, expect, test } from 'vitest'
import { makeSelfSigned } from '../../../../proxy/protocols/postgres/tls-self-signed.ts'
import { connectPg, startTlsProxied, tlsServer, type TlsOptions } from '../../../support/postgres-tls.ts'
import { postgresCertificate, postgresForTests } from '../../../support/postgres.ts'
import { RawServer } from '../../../support/sockets.ts'

const server = postgresForTests(tlsServer)
const withoutTls = postgresForTests()
const right = postgresCertificate.cert
const wrong = makeSelfSigned().certificate
const failing = { name: 'failing', type: 'pg_error', attributes: { code: '40001' }, match: { statement: 'select' } }

/** Where TLS with the server is begun, with a client that has TLS, and with one that has none. */
const beginnings: readonly [mode: NonNullable<TlsOptions['tls']>, ssl: boolean][] = [
  ['terminate', true],
  ['server_only', false],
]

async function failure(port: number, ssl: boolean): Promise<object> {
  return connectPg(port, { ssl }).then(
    () => expect.fail('the login has worked'),
    (error: object) => error,
  )
}

describe.each(beginnings)('tls: %s', (tls, ssl) => {
  /** The server is called by `name`, which leads to 127.0.0.1. */
  const start = (options: TlsOptions, name = '127.0.0.1') =>
    startTlsProxied({ host: name, port: server().port }, { tls, ...options }, [failing])

  test.each(['ca', 'full'] as const)('a server that is trusted: tlsVerify %s', async (tlsVerify) => {
    await using proxied = await start({ tlsVerify, tlsCa: right })
    await (await connectPg(proxied.port, { ssl })).end()
    expect(proxied.events()).toEqual([])
  })

  test('a server that is trusted by one of several, and called by its name', async () => {
    await using proxied = await start({ tlsVerify: 'full', tlsCa: wrong + right }, 'localhost')
    await (await connectPg(proxied.port, { ssl })).end()
  })

  test.each([
    ['ca', wrong],
    ['full', wrong],
    ['ca', 'system'],
  ] as const)('a server that is not: tlsVerify %s', async (tlsVerify, tlsCa) => {
    await using proxied = await start({ tlsVerify, tlsCa })
    const message = expect.stringMatching(/^TLS with the server failed: self-signed certificate/)
    expect(await failure(proxied.port, ssl)).toMatchObject({ severity: 'FATAL', code: '08006', message })
    expect(proxied.events()).toEqual([
      expect.stringMatching(/^opaque: TLS with the server failed: self-signed certificate/),
      expect.stringMatching(/^fault_not_applied \(failing\): TLS with the server failed/),
    ])
    await proxied.untilEmpty()
  })

  test('a server by another name than its certificate’s: only tlsVerify full minds', async () => {
    // An old way to write 127.0.0.1, which is no address to TLS but a name, and leads there without a name server.
    await using careless = await start({ tlsVerify: 'ca', tlsCa: right }, '127.1')
    await (await connectPg(careless.port, { ssl })).end()
    await using proxied = await start({ tlsVerify: 'full', tlsCa: right }, '127.1')
    const message = expect.stringMatching(/^TLS with the server failed: Host: 127\.1\. is not in the cert's altnames/)
    expect(await failure(proxied.port, ssl)).toMatchObject({ severity: 'FATAL', code: '08006', message })
    await proxied.untilEmpty()
  })

  test('a server without TLS', async () => {
    await using proxied = await startTlsProxied(withoutTls(), { tls })
    const message = `the server does not offer TLS, which tls: ${tls} needs`
    expect(await failure(proxied.port, ssl)).toMatchObject({ severity: 'FATAL', code: '08006', message })
    expect(proxied.events()).toEqual([`opaque: ${message}`])
    await proxied.untilEmpty()
  })

  test.each([
    ['in plain', 'S and no TLS', 'it sent something in plain behind its consent'],
    ['what is no answer', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'does not offer TLS'],
  ])('a server that answers %s', async (_how, answer, reason) => {
    await using upstream = await RawServer.start(({ socket }) => socket.once('data', () => socket.write(answer)))
    await using proxied = await startTlsProxied(upstream.address, { tls })
    expect(await failure(proxied.port, ssl)).toMatchObject({ code: '08006', message: expect.stringContaining(reason) })
    await proxied.untilEmpty()
  })

  test('a server that hangs up when it is asked for TLS', async () => {
    await using upstream = await RawServer.start(({ socket }) => socket.once('data', () => socket.end()))
    await using proxied = await startTlsProxied(upstream.address, { tls })
    const message = `the server has closed the connection when asked for TLS, which tls: ${tls} needs`
    expect(await failure(proxied.port, ssl)).toMatchObject({ code: '08006', message })
    await proxied.untilEmpty()
  })

  test('a server that hangs up during the handshake', async () => {
    await using upstream = await RawServer.start(({ socket }) => {
      socket.once('data', () => (socket.write('S'), socket.once('data', () => socket.end())))
    })
    await using proxied = await startTlsProxied(upstream.address, { tls })
    expect(await failure(proxied.port, ssl)).toMatchObject({ code: '08006' })
    await proxied.untilEmpty()
  })
})

test('with terminate a client without TLS needs none of the server', async () => {
  await using proxied = await startTlsProxied(withoutTls(), { tls: 'terminate' })
  const client = await connectPg(proxied.port, { user: 'postgres' })
  await client.end()
  expect(proxied.events()).toEqual([])
})
