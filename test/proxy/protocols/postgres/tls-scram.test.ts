// Logging in by a password through a proxy that ends TLS: SCRAM may bind the login to the certificate that the client
// sees (RFC 5802 section 6, RFC 5929 section 4), which has to be the server's own then.
import { describe, expect, test } from 'vitest'
import { codeOf } from '../../../support/postgres-faults.ts'
import { connectPg, hasPsql, ownCertificate, psql, startTlsProxied, tlsServer } from '../../../support/postgres-tls.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests(tlsServer)
const ANSWER = 'SELECT 6 * 7'
const HINT = /TLS ends at Faultline.*\(tlsCertificate, tlsKey\), or connect with channel_binding=disable/

/** What node-postgres rejects with; the test fails if it does not. */
async function failure(port: number, options: object): Promise<object> {
  return connectPg(port, options).then(
    () => expect.fail('the login has worked'),
    (error: object) => error,
  )
}

function bound(port: number, binding: string): Promise<string[]> {
  return psql(port, `sslmode=require channel_binding=${binding}`, ANSWER)
}

describe.runIf(hasPsql)('psql', () => {
  test.each(['disable', 'prefer', 'require'])(
    'channel_binding=%s works with the server’s certificate',
    async (binding) => {
      await using proxied = await startTlsProxied(server(), { tls: 'terminate', ...ownCertificate })
      expect(await bound(proxied.port, binding)).toEqual(['42'])
    },
  )

  test('with another certificate only channel_binding=disable works, and the error says so', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'terminate' })
    expect(await bound(proxied.port, 'disable')).toEqual(['42'])
    for (const binding of ['prefer', 'require']) {
      const failed = bound(proxied.port, binding)
      await expect(failed).rejects.toThrow(/FATAL: {2}SCRAM channel binding check failed\s+HINT: /)
      await expect(failed).rejects.toThrow(HINT)
    }
  })

  test('with client_only there is nothing of the server’s to bind to: require fails, by psql itself', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'client_only' })
    for (const binding of ['disable', 'prefer']) expect(await bound(proxied.port, binding)).toEqual(['42'])
    await expect(bound(proxied.port, 'require')).rejects.toThrow(/channel binding is required, but/)
  })

  test('with server_only the offer to bind is kept from a client without TLS, which would refuse it', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'server_only' })
    for (const binding of ['disable', 'prefer']) {
      expect(await psql(proxied.port, `sslmode=prefer channel_binding=${binding}`, ANSWER)).toEqual(['42'])
    }
  })

  test('with passthrough everything is as without the proxy', async () => {
    await using proxied = await startTlsProxied(server())
    for (const binding of ['disable', 'prefer', 'require']) expect(await bound(proxied.port, binding)).toEqual(['42'])
  })
})

describe('node-postgres with channel binding', () => {
  const binding = { ssl: true, enableChannelBinding: true }

  test('works with the server’s certificate', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'terminate', ...ownCertificate })
    const client = await connectPg(proxied.port, binding)
    expect((await client.query('SELECT 42 AS answer')).rows).toEqual([{ answer: 42 }])
    await client.end()
  })

  test('works with client_only', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'client_only' })
    await (await connectPg(proxied.port, binding)).end()
  })

  test('fails with another certificate, and the error says what to do', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'terminate' })
    expect(await failure(proxied.port, binding)).toMatchObject({
      severity: 'FATAL',
      code: '28000',
      message: 'SCRAM channel binding check failed',
      hint: expect.stringMatching(HINT),
    })
    await proxied.untilEmpty()
  })
})

describe('logins that fail for other reasons get no such hint', () => {
  test('a wrong password', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'terminate' })
    const error = await failure(proxied.port, { ssl: true, password: 'wrong' })
    expect(error).toMatchObject({ code: '28P01', hint: undefined })
  })

  test('the password is right, and the database does not exist', async () => {
    await using proxied = await startTlsProxied(server(), { tls: 'terminate' })
    const error = await failure(proxied.port, { ssl: true, database: 'nowhere' })
    expect(error).toMatchObject({ code: '3D000', hint: undefined })
  })

  test('the password is right, and the user may not log in', async () => {
    await server().query(`CREATE ROLE bob PASSWORD 'secret' NOLOGIN`)
    await using proxied = await startTlsProxied(server(), { tls: 'terminate' })
    // The same code as that of channel binding.
    expect(await failure(proxied.port, { ssl: true, user: 'bob' })).toMatchObject({ code: '28000', hint: undefined })
  })
})

test('a password is refused by pg_connect_error inside TLS, too', async () => {
  await using proxied = await startTlsProxied(server(), { tls: 'terminate' }, [
    { type: 'pg_connect_error', attributes: { code: '28P01', at: 'password' } },
  ])
  expect(await codeOf(connectPg(proxied.port, { ssl: true }))).toBe('28P01')
})
