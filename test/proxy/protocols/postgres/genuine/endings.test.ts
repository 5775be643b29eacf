// How the server itself ends connections and refuses logins: a proxy that injects the same has to sound like it.
import { describe, expect, test } from 'vitest'
import { transcript } from '../../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../../support/postgres-conversation.ts'
import { postgresForTests, startPostgres } from '../../../../support/postgres.ts'
import { logins, startupServer, terminations, type Failure, type Login, type Situation } from './conversations.ts'

const server = postgresForTests(startupServer)

/** With the end of the connection as its last line. */
async function ended(situation: Situation, direct = server()): Promise<string[]> {
  await using client = await PostgresConversation.connect({ port: direct.port, user: 'anybody' })
  const messages = await situation(client, direct, 'genuine')
  return [...transcript(messages), client.ending]
}

/** Without ParameterStatus. */
async function heard(login: Login, failure: Failure, direct = server()): Promise<string[]> {
  const messages = await login(direct.port, direct, failure)
  return transcript(messages.filter(({ type }) => type !== 'S'))
}

describe('ends of connections', () => {
  test('terminatedIdle', async () => {
    expect(await ended(terminations.terminatedIdle)).toMatchInlineSnapshot(`
      [
        "E 57P01 FATAL terminating connection due to administrator command",
        "FIN",
      ]
    `)
  })

  test('terminatedIdleInBlock', async () => {
    expect(await ended(terminations.terminatedIdleInBlock)).toMatchInlineSnapshot(`
      [
        "C BEGIN",
        "Z T",
        "E 57P01 FATAL terminating connection due to administrator command",
        "FIN",
      ]
    `)
  })

  test('terminatedRunning', async () => {
    expect(await ended(terminations.terminatedRunning)).toMatchInlineSnapshot(`
      [
        "T pg_advisory_lock",
        "E 57P01 FATAL terminating connection due to administrator command",
        "FIN",
      ]
    `)
  })

  test('terminatedInResult', async () => {
    expect(await ended(terminations.terminatedInResult)).toMatchInlineSnapshot(`
      [
        "T id,lock",
        "D 1,NULL",
        "D 2,NULL",
        "D 3,NULL",
        "E 57P01 FATAL terminating connection due to administrator command",
        "FIN",
      ]
    `)
  })

  test('terminatedUnread', async () => {
    await using client = await PostgresConversation.connect({ port: server().port, user: 'anybody' })
    const messages = await terminations.terminatedUnread(client, server(), 'genuine')
    expect([...new Set(messages.map(({ type }) => type))]).toEqual(['T', 'D'])
    expect(messages.length).toBeLessThan(1 + 512)
    expect(client.unfinished.length).toBeGreaterThan(0)
    expect(client.ending).toBe('FIN')
  })

  test('idleInTransactionTooLong', async () => {
    expect(await ended(terminations.idleInTransactionTooLong)).toMatchInlineSnapshot(`
      [
        "C BEGIN",
        "Z T",
        "E 25P03 FATAL terminating connection due to idle-in-transaction timeout",
        "FIN",
      ]
    `)
  })

  test('idleTooLong', async () => {
    expect(await ended(terminations.idleTooLong)).toMatchInlineSnapshot(`
      [
        "E 57P05 FATAL terminating connection due to idle-session timeout",
        "FIN",
      ]
    `)
  })

  test('crashed', async () => {
    await using lost = await startPostgres(startupServer)
    expect(await ended(terminations.crashed, lost)).toMatchInlineSnapshot(`
      [
        "C BEGIN",
        "Z T",
        "N 57P02 WARNING terminating connection because of crash of another server process",
        "FIN",
      ]
    `)
  })
})

describe('logins', () => {
  test.each(Object.entries(logins))('%s goes well unless it is made to fail', async (_name, login) => {
    expect((await heard(login, 'none')).slice(-3)).toEqual(['R Ok', 'K 4-byte key', 'Z I'])
  })

  test('wrongScramPassword', async () => {
    expect(await heard(logins.wrongScramPassword, 'genuine')).toMatchInlineSnapshot(`
      [
        "R SASL SCRAM-SHA-256",
        "R SASLContinue",
        "E 28P01 FATAL password authentication failed for user "scram"",
      ]
    `)
  })

  test('wrongClearPassword', async () => {
    expect(await heard(logins.wrongClearPassword, 'genuine')).toMatchInlineSnapshot(`
      [
        "R CleartextPassword",
        "E 28P01 FATAL password authentication failed for user "clear"",
      ]
    `)
  })

  test('unknownDatabase', async () => {
    expect(await heard(logins.unknownDatabase, 'genuine')).toMatchInlineSnapshot(`
      [
        "R Ok",
        "E 3D000 FATAL database "unknown" does not exist",
      ]
    `)
  })

  test('unknownDatabaseWithScram', async () => {
    expect(await heard(logins.unknownDatabaseWithScram, 'genuine')).toMatchInlineSnapshot(`
      [
        "R SASL SCRAM-SHA-256",
        "R SASLContinue",
        "R SASLFinal",
        "R Ok",
        "E 3D000 FATAL database "unknown" does not exist",
      ]
    `)
  })

  test('unknownUser', async () => {
    expect(await heard(logins.unknownUser, 'genuine')).toMatchInlineSnapshot(`
      [
        "R Ok",
        "E 28000 FATAL role "unknown" does not exist",
      ]
    `)
  })

  test('rejectedUser', async () => {
    expect(await heard(logins.rejectedUser, 'genuine')).toMatchInlineSnapshot(`
      [
        "E 28000 FATAL pg_hba.conf rejects connection for host "127.0.0.1", user "nobody", database "postgres", no encryption",
      ]
    `)
  })

  test('tooManyOfUser', async () => {
    expect(await heard(logins.tooManyOfUser, 'genuine')).toMatchInlineSnapshot(`
      [
        "R Ok",
        "E 53300 FATAL too many connections for role "single"",
      ]
    `)
  })

  test('onlyReservedLeft', async () => {
    expect(await heard(logins.onlyReservedLeft, 'genuine')).toMatchInlineSnapshot(`
      [
        "R Ok",
        "E 53300 FATAL remaining connection slots are reserved for roles with the SUPERUSER attribute",
      ]
    `)
  })

  test('nothingLeft', async () => {
    expect(await heard(logins.nothingLeft, 'genuine')).toMatchInlineSnapshot(`
      [
        "E 53300 FATAL sorry, too many clients already",
      ]
    `)
  })

  test('shuttingDown', async () => {
    await using lost = await startPostgres(startupServer)
    expect(await heard(logins.shuttingDown, 'genuine', lost)).toMatchInlineSnapshot(`
      [
        "E 57P03 FATAL the database system is shutting down",
      ]
    `)
  })
})
