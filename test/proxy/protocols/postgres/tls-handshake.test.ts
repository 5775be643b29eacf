// What handshakes come to, and what happens to those that fail.
import { once } from 'node:events'
import type net from 'node:net'
import tls from 'node:tls'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientContextFor } from '../../../../proxy/protocols/postgres/tls-identity.ts'
import { makeSelfSigned } from '../../../../proxy/protocols/postgres/tls-self-signed.ts'
import { looksLikeTls, type TlsSettings, type TlsVerification } from '../../../../proxy/protocols/postgres/tls.ts'
import { asClient, asServer, connected, Driven, own, pair, patience } from '../../../support/driven-tls.ts'

const der = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')

/** The client's first bytes, as Node's TLS makes them. */
async function clientHello(options: tls.ConnectionOptions = {}): Promise<Buffer> {
  const [accepted, made] = await connected()
  tls.connect({ socket: made, ...options }).on('error', () => {})
  const [hello] = (await once(accepted, 'data')) as [Buffer]
  return hello
}

/** The first thing that a client that verifies sees. */
async function check(verify: TlsVerification, ca: string | undefined, serverName: string): Promise<string> {
  const secureContext = clientContextFor(ca === undefined ? {} : { ca }, '')
  const settings: TlsSettings = { role: 'client', secureContext, serverName, verify }
  const { driven } = await pair('client', { settings })
  await expect.poll(() => driven.seen, patience).not.toEqual([])
  return driven.seen[0] ?? ''
}

/** Everything that was seen, once the connection has been closed. */
async function last(driven: Driven): Promise<string> {
  await driven.until('sent close')
  return driven.seen.join()
}

/** Cuts a handshake off, or changes a byte of it, then goes on with anything. */
async function disturb(to: net.Socket, hello: Buffer, at: number, xor: number, behind: Uint8Array): Promise<void> {
  const position = at % hello.length
  const bytes = xor === 0 ? hello.subarray(0, position) : Buffer.from(hello)
  if (xor !== 0) bytes[position] = (bytes[position] ?? 0) ^ xor
  to.write(Buffer.concat([bytes, behind]))
  to.end()
  to.resume()
  await once(to, 'close')
}

describe('results', () => {
  test('of a client that names protocol and host', async () => {
    const peer = { ALPNProtocols: ['h2', 'postgresql'], servername: 'db.example' }
    const { driven } = await pair('server', { version: 'TLSv1.3', peer })
    await driven.until('secured')
    expect(driven.result).toEqual({
      protocol: 'TLSv1.3',
      alpn: 'postgresql',
      serverName: 'db.example',
      peerCertificate: undefined,
    })
  })

  test('of a client that names nothing', async () => {
    const { driven } = await pair('server', { version: 'TLSv1.2' })
    await driven.until('secured')
    expect(driven.result).toEqual({
      protocol: 'TLSv1.2',
      alpn: undefined,
      serverName: undefined,
      peerCertificate: undefined,
    })
  })

  test('of a server: its certificate, and the protocol if it knows one', async () => {
    const { driven, peer } = await pair('client', { peer: { ALPNProtocols: ['postgresql'] } })
    await Promise.all([once(peer, 'secure'), driven.until('secured')])
    expect(driven.result?.alpn).toBe('postgresql')
    expect(driven.result?.peerCertificate).toEqual(der(own.certificate))
    expect((peer as { servername?: string }).servername).toBe('localhost')
    const older = await pair('client')
    await older.driven.until('secured')
    expect(older.driven.result?.alpn).toBeUndefined()
  })

  test('of a server that is asked for by its address, which is never sent', async () => {
    const settings: TlsSettings = { ...asClient, role: 'client', serverName: '127.0.0.1' }
    const { driven, peer } = await pair('client', { settings })
    await Promise.all([once(peer, 'secure'), driven.until('secured')])
    expect((peer as { servername?: unknown }).servername).toBe(false)
  })

  test('direct TLS is known by its first byte', async () => {
    expect(looksLikeTls(await clientHello())).toBe(true)
    // SSLRequest begins with its length.
    expect(looksLikeTls(Buffer.from('0000000804d2162f', 'hex'))).toBe(false)
    expect(looksLikeTls(Buffer.alloc(0))).toBe(false)
  })
})

describe('verification of the server', () => {
  const stranger = makeSelfSigned()
  test.each([
    ['none', undefined, 'elsewhere.example', /^secured$/],
    ['ca', own.certificate, 'elsewhere.example', /^secured$/],
    ['ca', stranger.certificate, 'localhost', /^failed: self-signed certificate$/],
    ['ca', undefined, 'localhost', /^failed: self-signed certificate$/],
    ['full', own.certificate, 'localhost', /^secured$/],
    ['full', own.certificate, '127.0.0.1', /^secured$/],
    ['full', own.certificate, '::1', /^secured$/],
    ['full', own.certificate, 'elsewhere.example', /^failed: .* is not in the cert's /],
    ['full', own.certificate, '127.0.0.2', /^failed: .* is not in the cert's /],
  ] as const)('%s', async (verify, ca, serverName, outcome) => {
    expect(await check(verify, ca, serverName)).toMatch(outcome)
  })
})

describe('failures', () => {
  test.each([
    ['server', 'GET / HTTP/1.1\r\n\r\n'],
    ['server', '\0\0\0\u0008\u0004\u00d2\u0016/'],
    ['client', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['client', 'x'.repeat(1_000_000)],
  ] as const)('what is not TLS is told by its reason: %s', async (role, text) => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, role === 'server' ? asServer : asClient)
    made.write(Buffer.from(text, 'latin1'))
    made.resume()
    expect(await last(driven)).toMatch(
      /^failed: (?:http request|wrong version number|packet length too long),sent close$/,
    )
  })

  test('a client of another protocol is told so by an alert, as PostgreSQL does', async () => {
    const { driven, peer } = await pair('server', { peer: { ALPNProtocols: ['h2'] } })
    const [error] = (await once(peer, 'error')) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
    expect(await last(driven)).toBe('failed: no application protocol,sent close')
  })

  test('versions that nobody shares', async () => {
    const { driven, peer } = await pair('client', {
      settings: {
        role: 'client',
        serverName: 'localhost',
        secureContext: tls.createSecureContext({ minVersion: 'TLSv1.3', ca: [] }),
      },
      version: 'TLSv1.2',
    })
    await once(peer, 'error')
    expect(await last(driven)).toMatch(/^failed: .*alert protocol version,sent close$/)
  })

  test.each([
    ['server', 'end', 'failed: the connection ended during the handshake,sent close'],
    ['client', 'end', 'failed: the connection ended during the handshake,sent close'],
    ['server', 'resetAndDestroy', 'reset'],
    ['client', 'resetAndDestroy', 'reset'],
  ] as const)('an end that vanishes before it has said anything: %s %s', async (role, how, seen) => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, role === 'server' ? asServer : asClient)
    driven.side.write(Buffer.from('waiting'))
    made.resume()
    made[how]()
    await expect.poll(() => driven.seen.join(), patience).toBe(seen)
  })

  test('bytes that were changed on the way, after the handshake', async () => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, asServer)
    const [inner, outer] = await connected()
    let flip = false
    outer.on('data', (chunk) => {
      if (flip) chunk[chunk.length - 1] = (chunk[chunk.length - 1] ?? 0) ^ 1
      made.write(chunk)
    })
    made.on('data', (chunk) => outer.write(chunk))
    const peer = tls.connect({ socket: inner, rejectUnauthorized: false }).on('error', () => {})
    await driven.until('secured')
    flip = true
    peer.write('hello')
    expect(await last(driven)).toBe('secured,failed: decryption failed or bad record mac,sent close')
  })

  test('a client that starts a second handshake is refused, as PostgreSQL does', async () => {
    const { driven, peer } = await pair('server', { version: 'TLSv1.2' })
    await Promise.all([once(peer, 'secureConnect'), driven.until('secured')])
    const refused = once(peer.resume(), 'error')
    peer.renegotiate({ rejectUnauthorized: false }, () => {})
    const [error] = (await refused) as [NodeJS.ErrnoException]
    expect(error.code).toBe('ERR_SSL_NO_RENEGOTIATION')
    driven.side.close()
    await driven.until('sent close')
    expect(driven.seen.filter((what) => what !== 'end')).toEqual(['secured', 'sent close'])
  })
})

describe('nonsense', () => {
  test('in the first bytes ends in one failure, and nothing is thrown', { timeout: 60_000 }, async () => {
    const hello = await clientHello({ minVersion: 'TLSv1.2', servername: 'db.example', ALPNProtocols: ['postgresql'] })
    const bytes = fc.uint8Array({ maxLength: 3000 })
    const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 3 })
    const property = fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      bytes,
      cuts,
      async (at, xor, rest, sizes) => {
        const [accepted, made] = await connected()
        const driven = new Driven(accepted, asServer, sizes)
        await disturb(made, hello, at, xor, rest)
        expect(driven.seen).toEqual([expect.stringMatching(/^failed: ./), 'sent close'])
        expect(driven.receivedBytes).toBe(0)
      },
    )
    await fc.assert(property, { numRuns: 200, seed: 1 })
  })

  test.each(['end', 'close'] as const)('in the same moment as %s is not fatal', async (signal) => {
    for (const role of ['server', 'client'] as const) {
      const { driven, peer } = await pair(role)
      await driven.until('secured')
      driven.side.write(Buffer.from('last'))
      driven.side[signal]()
      driven.side.receive(Buffer.alloc(200, 0x17))
      driven.side.receive(Buffer.alloc(200_000, 0xff))
      driven.side.receiveEnd()
      await driven.until('sent close')
      peer.destroy()
    }
  })
})
