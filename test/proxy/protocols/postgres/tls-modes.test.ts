// Who encrypts what: each mode of the proxy with each mode of real clients, while a fault on statements is there.
import { describe, expect, test } from 'vitest'
import { buildAdminApp } from '../../../../admin/server.ts'
import { makeSelfSigned } from '../../../../proxy/protocols/postgres/tls-self-signed.ts'
import { codeOf } from '../../../support/postgres-faults.ts'
import {
  connectPg,
  hasPsql,
  openPostgresJs,
  ownCertificate,
  psql,
  startTlsProxied,
  tlsServer,
  type TlsOptions,
} from '../../../support/postgres-tls.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests(tlsServer)
const other = makeSelfSigned()

/** To be met by one statement, so that a second one can ask how the server sees the connection. */
const failing = {
  name: 'failing',
  type: 'pg_error',
  attributes: { code: '40001' },
  match: { statement: 'select', query: '6 * 7' },
}
const FAULTED = 'SELECT 6 * 7'
const HOW = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()'

/** What comes of a connection: whether the server sees TLS, and whether the fault acts; or why there is none. */
type Outcome = `${'plain' | 'TLS'}, ${'faulted' | 'unharmed'}` | 'refused' | 'not bound'

function outcome(encrypted: boolean, code: string): Outcome {
  if (code !== '40001' && code !== 'none') throw new Error(`neither the fault nor the server says ${code}`)
  return `${encrypted ? 'TLS' : 'plain'}, ${code === '40001' ? 'faulted' : 'unharmed'}`
}

async function withPg(port: number, ssl: boolean): Promise<Outcome> {
  const client = await connectPg(port, { ssl })
  const { rows } = await client.query<{ ssl: boolean }>(HOW)
  const code = await codeOf(client.query(FAULTED))
  await client.end()
  return outcome(rows[0]!.ssl, code)
}

async function withPostgresJs(port: number, ssl: 'prefer' | 'require' | false): Promise<Outcome> {
  const sql = openPostgresJs(port, ssl)
  try {
    const [row] = await sql.unsafe<{ ssl: boolean }[]>(HOW)
    return outcome(row!.ssl, await codeOf(sql.unsafe(FAULTED)))
  } finally {
    await sql.end({ timeout: 0 })
  }
}

async function withPsql(port: number, sslmode: string): Promise<Outcome> {
  const connection = `sslmode=${sslmode}`
  const [encrypted] = await psql(port, connection, HOW)
  const code = await psql(port, connection, FAULTED).then(
    ([answer]) => (answer === '42' ? 'none' : `answer ${answer}`),
    (error: Error) => /ERROR: {2}(\w{5}):/.exec(error.message)?.[1] ?? error.message,
  )
  return outcome(encrypted === 't', code)
}

const clients: Readonly<Record<string, (port: number) => Promise<Outcome>>> = {
  'pg disable': (port) => withPg(port, false),
  'pg require': (port) => withPg(port, true),
  'postgres.js disable': (port) => withPostgresJs(port, false),
  'postgres.js prefer': (port) => withPostgresJs(port, 'prefer'),
  'postgres.js require': (port) => withPostgresJs(port, 'require'),
  'psql disable': (port) => withPsql(port, 'disable'),
  'psql prefer': (port) => withPsql(port, 'prefer'),
  'psql require': (port) => withPsql(port, 'require'),
}

/** By their words: clients that want TLS where there is none, and psql (libpq), which binds its login if it can. */
function refusal(error: Error): Outcome {
  if (error.message.includes('channel binding check failed')) return 'not bound'
  // postgres.js takes no notice of the answer and begins TLS all the same; it is hung up on, as by a server without.
  if (/not support SSL|disconnected before secure TLS/.test(error.message)) return 'refused'
  throw error
}

const BY_MODE: readonly [mode: string, options: TlsOptions, outcomes: Readonly<Record<string, Outcome>>][] = [
  ['passthrough', {}, { disable: 'plain, faulted', prefer: 'TLS, unharmed', require: 'TLS, unharmed' }],
  [
    'terminate with the server’s certificate',
    { tls: 'terminate', ...ownCertificate },
    { disable: 'plain, faulted', prefer: 'TLS, faulted', require: 'TLS, faulted' },
  ],
  [
    'terminate with a made certificate',
    { tls: 'terminate' },
    {
      disable: 'plain, faulted',
      prefer: 'TLS, faulted',
      require: 'TLS, faulted',
      // After a login that failed with TLS, libpq's prefer tries without.
      'psql prefer': 'plain, faulted',
      'psql require': 'not bound',
    },
  ],
  [
    'terminate with another certificate',
    { tls: 'terminate', tlsCertificate: other.certificate, tlsKey: other.key },
    {
      disable: 'plain, faulted',
      prefer: 'TLS, faulted',
      require: 'TLS, faulted',
      'psql prefer': 'plain, faulted',
      'psql require': 'not bound',
    },
  ],
  [
    'client_only',
    { tls: 'client_only' },
    { disable: 'plain, faulted', prefer: 'plain, faulted', require: 'plain, faulted' },
  ],
  ['server_only', { tls: 'server_only' }, { disable: 'TLS, faulted', prefer: 'TLS, faulted', require: 'refused' }],
]

describe.each(BY_MODE)('%s', (_mode, options, outcomes) => {
  for (const [client, run] of Object.entries(clients)) {
    test.runIf(hasPsql || !client.startsWith('psql'))(
      `${client}: encrypted where it should be, and the fault acts or that it can not is told`,
      async () => {
        await using proxied = await startTlsProxied(server(), options, [failing])
        const came = await run(proxied.port).catch(refusal)
        const [, sslmode = ''] = client.split(' ')
        expect(came).toBe(outcomes[client] ?? outcomes[sslmode])
        // It never happens behind the user's back: where the fault can't act, that is on record.
        const told = proxied.events().includes('fault_not_applied (failing): TLS')
        if (came !== 'refused') expect(told).toBe(came.endsWith('unharmed'))
        await proxied.untilEmpty()
      },
    )
  }
})

test('a user whose fault can not act is told by events, counters and the API', async () => {
  await using proxied = await startTlsProxied(server(), {}, [failing])
  const client = await connectPg(proxied.port, { ssl: true })
  // A fault that comes later can't act on this connection either.
  proxied.proxy.addFault({ ...failing, name: 'later' })
  await client.query(FAULTED)
  expect(proxied.events()).toEqual([
    'opaque: TLS',
    'fault_not_applied (failing): TLS',
    'fault_not_applied (later): TLS',
  ])
  expect(proxied.proxy.counters.opaqueConnections).toBe(1)
  expect(proxied.proxy.fault('failing')?.injections).toBe(0)

  const app = await buildAdminApp(proxied.network)
  const events = (await app.inject('/v1/events?proxy=pg&types=opaque,fault_not_applied')).json<{ events: unknown[] }>()
  expect(events.events).toMatchObject([
    { type: 'opaque', proxy: 'pg', connection: 1, detail: { protocol: 'postgres', reason: 'TLS' } },
    {
      type: 'fault_not_applied',
      proxy: 'pg',
      connection: 1,
      detail: { fault: 'failing', type: 'pg_error', reason: 'TLS' },
    },
    { type: 'fault_not_applied', detail: { fault: 'later' } },
  ])
  const view = (await app.inject('/v1/proxies/pg')).json<object>()
  expect(view).toMatchObject({ tls: 'passthrough', counters: { opaqueConnections: 1 }, connections: 1 })
  await app.close()
  await client.end()
})

test('a private key is never shown', async () => {
  await using proxied = await startTlsProxied(server(), { tls: 'terminate', ...ownCertificate }, [failing])
  const client = await connectPg(proxied.port, { ssl: true })
  await client.query('SELECT 1')
  await client.end()
  const app = await buildAdminApp(proxied.network)
  // A line of its base64: it would also be found in JSON, where ends of lines look different.
  const secret = ownCertificate.tlsKey.split('\n')[1]!
  for (const path of ['/v1/proxies', '/v1/proxies/pg', '/v1/events', '/v1/injections', '/proxies', '/metrics']) {
    const { statusCode, body } = await app.inject(path)
    expect([path, statusCode, body.includes(secret) || body.includes('PRIVATE')]).toEqual([path, 200, false])
  }
  const broken = { name: 'q', protocol: 'postgres', upstream: '127.0.0.1:1', tls: 'terminate' }
  for (const tlsKey of [secret, [secret], { secret }, `${ownCertificate.tlsKey}x`.replace('BEGIN', 'BEGAN')]) {
    const payload = { ...broken, tlsCertificate: ownCertificate.tlsCertificate, tlsKey }
    const { statusCode, body } = await app.inject({ method: 'POST', url: '/v1/proxies', payload })
    expect([statusCode, body.includes(secret)]).toEqual([400, false])
  }
  await app.close()
  expect(proxied.proxy.protocolOptions['tlsCertificate']).toBe(ownCertificate.tlsCertificate)
})
