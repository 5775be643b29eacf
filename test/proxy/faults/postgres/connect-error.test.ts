// pg_connect_error: servers that let nobody in, or leave clients waiting at the door.
import { execFile } from 'node:child_process'
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { Network } from '../../../../proxy/index.ts'
import { transcript, type BackendMessage } from '../../../support/postgres-backend.ts'
import { PostgresConversation, type ConversationOptions } from '../../../support/postgres-conversation.ts'
import {
  codeOf,
  hasProgram,
  startPostgresProxied,
  untilClientsAre,
  type PostgresProxied,
} from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { portOf } from '../../../support/proxied.ts'
import { freePort } from '../../../support/sockets.ts'

const server = postgresForTests({
  users: [{ name: 'ann', password: 'right' }, { name: 'bob' }],
  hba: ['host all ann all scram-sha-256'],
})

const REFUSED = 'pg_connect_error_downstream refuse'
const HUNG = 'pg_connect_error_downstream hang'

/** Who logs in by SCRAM, and who needs no password. */
const ann = { user: 'ann', password: 'right' }
const bob = { user: 'bob' }

function refuse(attributes: Readonly<Record<string, unknown>> = {}) {
  return { type: 'pg_connect_error', attributes }
}

/** Without ParameterStatus. */
function said(messages: readonly BackendMessage[]): string[] {
  return transcript(messages.filter(({ type }) => type !== 'S'))
}

async function login(proxied: PostgresProxied, who: Partial<ConversationOptions>): Promise<readonly BackendMessage[]> {
  await using client = await PostgresConversation.begin({ port: proxied.port, ...who })
  expect(await client.untilEnded()).toBe('FIN')
  expect(client.unfinished).toHaveLength(0)
  return client.messages
}

const SCRAM = ['R SASL SCRAM-SHA-256', 'R SASLContinue']
const STARTING = 'E 57P03 FATAL the database system is starting up'
const MANY = 'E 53300 FATAL sorry, too many clients already'
/** What is said of those that got so far that they are known. */
const RESERVED = expect.stringMatching(/^E 53300 FATAL remaining connection slots are reserved for roles with /)

describe('where servers report what', () => {
  test.each([
    ['default', {}, bob, [STARTING]],
    ['57P03 before any authentication', { code: '57P03' }, ann, [STARTING]],
    ['53300 behind it', { code: 'too_many_connections' }, bob, ['R Ok', RESERVED]],
    ['53300 behind SCRAM', { code: '53300' }, ann, [...SCRAM, 'R SASLFinal', 'R Ok', RESERVED]],
    ['3D000', { code: '3D000' }, bob, ['R Ok', 'E 3D000 FATAL database "postgres" does not exist']],
    [
      '3D000 behind SCRAM',
      { code: 'invalid_catalog_name' },
      ann,
      [...SCRAM, 'R SASLFinal', 'R Ok', 'E 3D000 FATAL database "postgres" does not exist'],
    ],
    [
      '28P01 in place of success',
      { code: 'invalid_password' },
      bob,
      ['E 28P01 FATAL password authentication failed for user "bob"'],
    ],
    [
      '28P01 in place of success by SCRAM',
      { code: '28P01' },
      ann,
      [...SCRAM, 'E 28P01 FATAL password authentication failed for user "ann"'],
    ],
    ['another place', { code: '53300', at: 'startup' }, ann, [MANY]],
    ['words', { code: '57P03', message: 'in recovery' }, bob, ['E 57P03 FATAL in recovery']],
  ] as const)('%s', async (_name, attributes, who, seen) => {
    await using proxied = await startPostgresProxied(server(), [refuse(attributes)])
    expect(said(await login(proxied, who))).toEqual(seen)
    expect(proxied.injected()).toEqual([REFUSED])
    // The server has nobody whom the client has left.
    await untilClientsAre(server(), 0)
  })
})

describe('clients', () => {
  const codes = ['57P03', '53300', '3D000', '28P01']

  test.each(codes)('pg and postgres.js, by SCRAM and without a password: %s', async (code) => {
    await using proxied = await startPostgresProxied(server(), [refuse({ code })])
    for (const who of [ann, bob]) {
      await expect(proxied.pg(who)).rejects.toMatchObject({ code, severity: 'FATAL' })
      expect(await codeOf(proxied.postgresJs(who)`SELECT 1`)).toBe(code)
    }
    expect(proxied.injected()).toEqual(Array(4).fill(REFUSED))
    proxied.proxy.removeAllFaults()
    for (const who of [ann, bob]) {
      const client = await proxied.pg(who)
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
      expect([...(await proxied.postgresJs(who)`SELECT 1 AS one`)]).toEqual([{ one: 1 }])
    }
  })

  test.skipIf(!hasProgram('psql'))('psql says what the server would have said', async () => {
    await using proxied = await startPostgresProxied(server(), [refuse()])
    const target = `host=127.0.0.1 port=${proxied.port} user=bob dbname=postgres`
    const problem = await new Promise<string>((resolve) => {
      execFile('psql', ['-XAtc', 'SELECT 42', target], (_error, _out, text) => resolve(text))
    })
    expect(problem).toContain('FATAL:  the database system is starting up')
  })

  test('those that are connected already do not notice', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await proxied.pg(bob)
    proxied.proxy.addFault(refuse())
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    expect(proxied.injected()).toEqual([])
  })

  test('only those that match; with times: 1 the next one gets in', async () => {
    const matched = { user: 'bob', database: 'postgres', applicationName: 'shop' }
    await using proxied = await startPostgresProxied(server(), [{ ...refuse(), match: matched, times: 1 }])
    await proxied.pg(ann)
    await proxied.pg(bob)
    const shop = { ...bob, application_name: 'shop' }
    expect(await codeOf(proxied.pg(shop))).toBe('57P03')
    await proxied.pg(shop)
    expect(proxied.injected()).toEqual([REFUSED])
  })

  test('every: 2 refuses every second one', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...refuse(), every: 2 }])
    const codes: string[] = []
    for (let run = 0; run < 6; run++) codes.push(await codeOf(proxied.pg(bob)))
    expect(codes).toEqual(['none', '57P03', 'none', '57P03', 'none', '57P03'])
  })

  test('are refused even where there is no server', async () => {
    await using network = new Network({ seed: 1 })
    const upstream = `127.0.0.1:${await freePort()}`
    const proxy = await network.createProxy({ name: 'pg', protocol: 'postgres', upstream, faults: [refuse()] })
    const client = new pg.Client({ host: '127.0.0.1', port: portOf(proxy), ...bob, database: 'postgres' })
    expect(await codeOf(client.connect())).toBe('57P03')
  })
})

describe('hang', () => {
  test.each([
    ['startup', bob, []],
    ['startup', ann, []],
    ['password', bob, []],
    ['password', ann, SCRAM],
    ['authenticated', bob, ['R Ok']],
    ['authenticated', ann, [...SCRAM, 'R SASLFinal', 'R Ok']],
  ] as const)('at %s, %o: nothing more comes until the fault is removed', async (at, who, seen) => {
    await using proxied = await startPostgresProxied(server(), [refuse({ hang: true, at })])
    const beginning = PostgresConversation.begin({ port: proxied.port, ...who })
    await proxied.untilInjected(1)
    // Elsewhere it answers questions about the password itself, and waits for what is held.
    if (at === 'authenticated') {
      const waiting = await beginning
      await waiting.untilCount(seen.length)
      expect(said(waiting.messages)).toEqual(seen)
    }
    proxied.proxy.removeAllFaults()
    await using client = await beginning
    await client.untilReady()
    expect(said(client.messages).slice(0, seen.length)).toEqual(seen)
    expect(said(client.messages).slice(-3)).toEqual(['R Ok', 'K 4-byte key', 'Z I'])
    expect(proxied.injected()).toEqual([HUNG])
    client.forget()
    expect(said(await client.query('SELECT 1'))).toEqual(['T ?column?', 'D 1', 'C SELECT 1', 'Z I'])
  })

  test.each(['startup', 'password', 'authenticated'])('at %s: drivers go on when it is removed', async (at) => {
    await using proxied = await startPostgresProxied(server(), [refuse({ hang: true, at })])
    const clients = [proxied.pg(ann), proxied.pg(bob)]
    const sql = proxied.postgresJs(ann)
    const answer = sql`SELECT 1 AS one`.execute()
    await proxied.untilInjected(3)
    proxied.proxy.removeAllFaults()
    for (const client of await Promise.all(clients)) {
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    }
    expect([...(await answer)]).toEqual([{ one: 1 }])
    expect(proxied.injected()).toEqual([HUNG, HUNG, HUNG])
  })

  test.each(['startup', 'password', 'authenticated'])('at %s: a client that gives up leaves nothing', async (at) => {
    await using proxied = await startPostgresProxied(server(), [refuse({ hang: true, at })])
    await using client = await PostgresConversation.begin({ port: proxied.port, ...bob })
    await proxied.untilInjected(1)
    client.socket.reset()
    await untilClientsAre(server(), 0)
    expect(proxied.injected()).toEqual([HUNG])
  })
})
