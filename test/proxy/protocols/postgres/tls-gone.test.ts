// Clients that begin TLS with the proxy and do not come to its end, or never meant it: nothing of them stays behind.
import { afterEach, describe, expect, test } from 'vitest'
import { readMessages } from '../../../support/postgres-backend.ts'
import { untilFound } from '../../../support/postgres-faults.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import {
  connectPg,
  patience,
  requestTls,
  startTlsProxied,
  TlsClient,
  tlsServer,
} from '../../../support/postgres-tls.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { RawSocket } from '../../../support/sockets.ts'

const server = postgresForTests(tlsServer)
const STARTUP = frontend.startup({ user: 'postgres', database: 'postgres' })
/** The header of a TLS record with a ClientHello of 512 bytes (RFC 8446 section 5.1), and the first of these. */
const HALF_A_HELLO = Buffer.from('1603010200010001fc0303', 'hex')
const GARBAGE = Buffer.alloc(1000, 'garbage ')

const sockets: RawSocket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

function kept(socket: RawSocket): RawSocket {
  sockets.push(socket)
  return socket
}

async function asked(port: number): Promise<RawSocket> {
  const socket = kept(await RawSocket.connect(port))
  await requestTls(socket)
  return socket
}

async function inside(port: number): Promise<TlsClient> {
  const socket = await TlsClient.open(port, 'requested')
  kept(socket.connection)
  return socket
}

async function loggedIn(port: number): Promise<TlsClient> {
  const socket = await inside(port)
  socket.write(STARTUP)
  await socket.until(() => readMessages(socket.received).messages.at(-1)?.type === 'Z', 'the login', patience.timeout)
  return socket
}

/** How far a client comes. */
const places: Readonly<Record<string, (port: number) => Promise<RawSocket>>> = {
  'when it has asked for TLS': asked,
  async 'in the middle of its first message of TLS'(port) {
    const socket = await asked(port)
    socket.write(HALF_A_HELLO)
    return socket
  },
  async 'in the middle of its first message, TLS at once'(port) {
    const socket = kept(await RawSocket.connect(port))
    socket.write(HALF_A_HELLO)
    return socket
  },
  'behind the handshake': async (port) => (await inside(port)).connection,
  async 'in the middle of its startup message'(port) {
    const socket = await inside(port)
    socket.write(STARTUP.subarray(0, 20))
    return socket.connection
  },
  async 'when it has sent its startup message'(port) {
    const socket = await inside(port)
    socket.write(STARTUP)
    return socket.connection
  },
  'when it is logged in': async (port) => (await loggedIn(port)).connection,
  async 'in the middle of a result'(port) {
    const socket = await loggedIn(port)
    socket.write(frontend.query(`SELECT repeat('x', 1000) FROM generate_series(1, 100000)`))
    await socket.untilBytes(socket.receivedBytes + 1000, patience.timeout)
    return socket.connection
  },
}

const endings: Readonly<Record<string, (socket: RawSocket) => void>> = {
  // Without a close_notify of TLS: the process has died.
  FIN: (socket) => socket.socket.destroy(),
  RST: (socket) => socket.reset(),
}

/** No backend but that of the test itself. */
const ALONE = `SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid())`

describe.each(['terminate', 'client_only'] as const)('tls: %s, a client vanishes', (tls) => {
  for (const [place, reach] of Object.entries(places)) {
    test.each(Object.entries(endings))(`${place}: %s`, async (_name, end) => {
      await using proxied = await startTlsProxied(server(), { tls })
      end(await reach(proxied.port))
      await proxied.untilEmpty()
      await untilFound(server(), ALONE)
    })
  }
})

describe.each(['terminate', 'client_only'] as const)('tls: %s, a client says something else', (tls) => {
  test.each([
    ['garbage', GARBAGE],
    ['its startup message in plain', STARTUP],
    ['the answer of a server', Buffer.from('S')],
  ])('once it may begin with TLS: %s', async (_what, bytes) => {
    await using proxied = await startTlsProxied(server(), { tls })
    const socket = await asked(proxied.port)
    socket.write(bytes)
    // A single byte may be the beginning of TLS, so that only its end tells.
    if (bytes.length === 1) socket.end()
    await socket.untilEnded(patience.timeout)
    socket.destroy()
    await proxied.untilEmpty()
    expect(proxied.events()).toEqual([expect.stringMatching(/^opaque: TLS with the client failed: /)])
    await untilFound(server(), ALONE)
  })

  test('behind its question for TLS, in plain: it does not count as encrypted', async () => {
    await using proxied = await startTlsProxied(server(), { tls })
    const connection = kept(await RawSocket.connect(proxied.port))
    connection.write(Buffer.concat([frontend.sslRequest(), STARTUP]))
    await connection.untilBytes(1)
    // The error comes where it is expected, inside TLS.
    const socket = await TlsClient.begin(connection)
    await socket.untilEnded(patience.timeout)
    const [error, more] = readMessages(socket.received).messages
    expect(error?.fields).toMatchObject({ code: '08P01', message: 'received unencrypted data after SSL request' })
    expect(more).toBeUndefined()
    socket.destroy()
    await proxied.untilEmpty()
  })

  test('others take no notice', async () => {
    await using proxied = await startTlsProxied(server(), { tls })
    const client = await connectPg(proxied.port, { ssl: true })
    const socket = await asked(proxied.port)
    socket.write(GARBAGE)
    await socket.untilEnded(patience.timeout)
    expect((await client.query('SELECT 42 AS answer')).rows).toEqual([{ answer: 42 }])
    await client.end()
    await proxied.untilEmpty()
  })
})
