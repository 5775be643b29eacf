// Two TLS ends back to back between real clients and a real server: what the proxy does where it ends TLS.
import { execFile, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import { clientContextFor, secureContextFor } from '../../../../proxy/protocols/postgres/tls-identity.ts'
import { makeSelfSigned, type CertificateAndKey } from '../../../../proxy/protocols/postgres/tls-self-signed.ts'
import { looksLikeTls, TlsSide, type PlainInput, type TlsSettings } from '../../../../proxy/protocols/postgres/tls.ts'
import type { MessageOutput } from '../../../../proxy/protocols/protocol.ts'
import { postgresCertificate, postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests({
  ssl: true,
  users: [{ name: 'ann', password: 'secret' }],
  hba: ['hostssl all ann all scram-sha-256', 'host all ann all reject'],
})
const genuine = { certificate: postgresCertificate.cert, key: postgresCertificate.key }
const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex')
const hasPsql = spawnSync('psql', ['--version']).status === 0
const cleanups: (() => void)[] = []

afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

/** Goes between: its own certificate to the client, TLS of its own to the server. */
async function startRelay(identity: CertificateAndKey): Promise<{ port: number; failures: string[] }> {
  const toClients: TlsSettings = { role: 'server', secureContext: secureContextFor(identity, '').secureContext }
  const toServer: TlsSettings = {
    role: 'client',
    serverName: 'localhost',
    verify: 'full',
    secureContext: clientContextFor({ ca: postgresCertificate.cert }, ''),
  }
  const failures: string[] = []
  const listener = net.createServer({ allowHalfOpen: true }, (client) => {
    client.once('data', (first) => {
      client.pause()
      const direct = looksLikeTls(first)
      if (!direct) client.write('S')
      const upstream = net.connect({ port: server().port, host: '127.0.0.1', allowHalfOpen: true })
      upstream.write(SSL_REQUEST)
      upstream.once('data', () => {
        const left: TlsSide = attach(client, toClients, (): TlsSide => right, failures)
        const right: TlsSide = attach(upstream, toServer, () => left, failures)
        if (direct) left.receive(first)
        client.resume()
      })
      upstream.on('error', () => {})
    })
    client.on('error', () => {})
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  cleanups.push(() => void listener.close())
  return { port: (listener.address() as AddressInfo).port, failures }
}

/** One end, whose plain bytes go to the other one. */
function attach(socket: net.Socket, settings: TlsSettings, opposite: () => TlsSide, failures: string[]): TlsSide {
  const ciphertext: MessageOutput = {
    get full() {
      return socket.writableNeedDrain
    },
    write: (chunk) => void socket.write(Buffer.from(chunk)),
    end: () => void socket.end(),
    close: () => void socket.end(),
    reset: () => void socket.resetAndDestroy(),
    updateFlow() {},
  }
  const plain: PlainInput = {
    get full() {
      return opposite().full
    },
    write: (chunk) => opposite().write(chunk),
    end: () => opposite().end(),
    reset: () => opposite().reset(),
  }
  const side = new TlsSide(settings, ciphertext, plain, {
    secured() {},
    failed(reason) {
      failures.push(reason)
      side.close()
      opposite().close()
    },
    flowChanged: () => void (side.receivingFull ? socket.pause() : socket.resume()),
    drained: () => opposite().plainFlowChanged(),
  })
  socket.on('data', (chunk) => side.receive(chunk))
  socket.on('end', () => side.receiveEnd())
  socket.on('drain', () => side.ciphertextDrained())
  socket.on('close', () => side.destroy())
  return side
}

async function connect(port: number, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const config = { host: '127.0.0.1', port, user: 'ann', password: 'secret', database: 'postgres' }
  const client = new pg.Client({ ...config, ssl: { rejectUnauthorized: false }, ...options })
  client.on('error', () => {})
  await client.connect()
  return client
}

test('a large result and a large parameter pass, and both connections are encrypted', { timeout: 30_000 }, async () => {
  const { port, failures } = await startRelay(makeSelfSigned())
  const client = await connect(port)
  const { rows } = await client.query<{ text: string; length: number }>({
    text: `SELECT repeat('x', 20000000) AS text, length($1) AS length`,
    values: ['y'.repeat(20_000_000)],
  })
  expect(rows[0]?.text).toBe('x'.repeat(20_000_000))
  expect(rows[0]?.length).toBe(20_000_000)
  const encrypted = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
  expect(encrypted.rows).toEqual([{ ssl: true }])
  await client.end()
  expect(failures).toEqual([])
})

test('SCRAM binds to the server’s own certificate, and fails with another', async () => {
  const same = await startRelay(genuine)
  const client = await connect(same.port, { enableChannelBinding: true })
  await client.query('SELECT 1')
  await client.end()
  const other = await startRelay(makeSelfSigned())
  await expect(connect(other.port, { enableChannelBinding: true })).rejects.toMatchObject({ code: '28000' })
})

test('a client may begin with TLS at once', async () => {
  const { port } = await startRelay(makeSelfSigned())
  const client = await connect(port, { sslnegotiation: 'direct' })
  expect((await client.query('SELECT 42 AS answer')).rows).toEqual([{ answer: 42 }])
  await client.end()
})

test.runIf(hasPsql)('psql may demand channel binding, and trusts a made certificate that it is given', async () => {
  const { port } = await startRelay(genuine)
  const run = (more: string): Promise<{ stdout: string }> =>
    promisify(execFile)('psql', [
      `host=127.0.0.1 port=${port} user=ann password=secret dbname=postgres ${more}`,
      '-XAtc',
      'SELECT 41 + 1',
    ])
  expect((await run('sslmode=require channel_binding=require')).stdout).toBe('42\n')
  const identity = makeSelfSigned()
  const made = await startRelay(identity)
  await expect(run(`port=${made.port} sslmode=require channel_binding=require`)).rejects.toThrow(/channel binding/)
  const folder = mkdtempSync(join(tmpdir(), 'faultline-tls-'))
  cleanups.push(() => rmSync(folder, { recursive: true }))
  const root = join(folder, 'root.crt')
  writeFileSync(root, identity.certificate)
  const trusting = `port=${made.port} host=localhost sslmode=verify-full sslrootcert=${root} channel_binding=disable`
  expect((await run(trusting)).stdout).toBe('42\n')
})
