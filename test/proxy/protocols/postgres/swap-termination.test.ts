// Connections that a proxy ends, beside those that the server ends by itself: what is said last, and how it ends.
import { describe, expect, test } from 'vitest'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, describe as describePortal, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import { postgresForTests, startPostgres, type PostgresServer } from '../../../support/postgres.ts'
import { terminations } from './genuine/conversations.ts'
import { createAccounts, untilWaitingForLock } from './genuine/situation.ts'
import { loggedBy, loggingServer, proxied, said } from './swap-comparison.ts'

const server = postgresForTests(loggingServer)

type Talk = (client: PostgresConversation, direct: PostgresServer) => Promise<unknown>

interface Ended {
  readonly said: readonly string[]
  readonly ending: string
  readonly processId: number
}

async function hear(port: number, talk: Talk, direct = server()): Promise<Ended> {
  await using client = await PostgresConversation.connect({ port, user: 'ann' })
  client.forget()
  await talk(client, direct)
  const ending = await client.untilEnded()
  return { said: said(client.messages), ending, processId: client.processId }
}

/**
 * The same talk by itself and through a proxy.
 *
 * @param when the fault is added: before the connection, when it is made, or so many ReadyForQuery later
 */
async function hearInjected(attributes: Readonly<Record<string, unknown>>, talk: Talk, when?: number): Promise<Ended> {
  await using proxy = await proxied(server())
  const add = (): void => proxy.addFault({ type: 'pg_terminate', attributes })
  if (when === undefined) add()
  const ended = await hear(proxy.port, async (client, direct) => {
    const talking = talk(client, direct)
    if (when !== undefined && when > 0) await client.untilReady(when)
    if (when !== undefined) add()
    await talking
  })
  expect(proxy.injections).toMatchObject([{ type: 'pg_terminate', action: 'terminate' }])
  expect(proxy.events).toEqual([])
  await untilGone(ended.processId)
  return ended
}

/** With the server's process its transaction is gone, too. */
async function untilGone(processId: number): Promise<void> {
  const sql = 'SELECT FROM pg_stat_activity WHERE pid = $1'
  while ((await server().query(sql, [processId])).length > 0) await server().query('SELECT pg_sleep(0.005)')
}

type Name = keyof typeof terminations

function hearGenuine(name: Name): Promise<Ended> {
  return hear(server().port, (client, direct) => terminations[name](client, direct, 'genuine'))
}

function notByItself(name: Name): Talk {
  return (client, direct) => terminations[name](client, direct, 'none')
}

describe('while the connection is idle', () => {
  test.each([
    ['terminatedIdle', '57P01', 0],
    ['terminatedIdleInBlock', '57P01', 1],
    ['idleTooLong', '57P05', 0],
    // It is nothing for a connection that is idle outside of transactions.
    ['idleInTransactionTooLong', '25P03', undefined],
  ] as const)('%s', async (name, code, when) => {
    const heard = await hearInjected({ code, when: 'idle' }, notByItself(name), when)
    expect(heard).toEqual({ ...(await hearGenuine(name)), processId: heard.processId })
  })

  test('crashed: a notice, not an error', async () => {
    await using lost = await startPostgres(loggingServer)
    const talk: Talk = (client) => terminations.crashed(client, lost, 'genuine')
    const byItself = await hear(lost.port, talk, lost)
    const heard = await hearInjected({ code: '57P02', when: 'idle' }, notByItself('crashed'), 1)
    expect(heard).toEqual({ ...byItself, processId: heard.processId })
  })
})

/** Waits for the lock while it runs, and nowhere that an error would tell in its context. */
const UPDATE = 'UPDATE accounts SET balance = 1 WHERE pg_advisory_xact_lock(4711) IS NOT NULL'

/** Terminated by itself while the last statement waits for a lock. */
async function expectSameUpdate(...before: readonly string[]): Promise<void> {
  await expectSameEnd(async (client) => {
    for (const sql of before) await client.query(sql)
    client.send(query(UPDATE))
  })
}

async function expectSameEnd(talk: Talk): Promise<void> {
  await createAccounts(server())
  const rival = await server().connect()
  await rival.query('SELECT pg_advisory_lock(4711)')
  const genuine = await hear(server().port, async (client, direct) => {
    await talk(client, direct)
    await untilWaitingForLock(client, direct)
    await direct.query('SELECT pg_terminate_backend($1, 5000)', [client.processId])
  })
  await rival.end()
  await using proxy = await proxied(server())
  proxy.addFault({
    type: 'pg_terminate',
    attributes: { code: 'admin_shutdown', when: 'query' },
    match: { query: 'balance = 1' },
  })
  const heard = await hear(proxy.port, talk)
  expect(heard).toEqual({ ...genuine, processId: heard.processId })
  expect(proxy.injections).toMatchObject([{ type: 'pg_terminate', action: 'terminate' }])
  await untilGone(heard.processId)
  expect(await server().query('SELECT sum(balance)::int AS sum FROM accounts')).toEqual([{ sum: 0 }])
  expect(await loggedBy(heard.processId, server())).not.toMatch(/(?:statement|execute \S+): .*balance = 1/)
}

describe('when a statement comes', () => {
  test('a simple query', () => expectSameUpdate())

  test('a simple query in a block, whose other changes are undone', () =>
    expectSameUpdate('BEGIN', 'UPDATE accounts SET balance = 2 WHERE id = 2'))

  test('an Execute', () =>
    expectSameEnd(async (client) => {
      client.send(parse(UPDATE), bind(), describePortal(), execute(), sync())
    }))

  test('one of a pipeline, whose other changes are undone', () =>
    expectSameEnd(async (client) => {
      const other = [parse('UPDATE accounts SET balance = 2 WHERE id = 2'), bind(), execute()]
      client.send(...other, parse(UPDATE), bind(), execute(), ...other, sync())
    }))

  test('a query with rows: by itself, their description has come already', async () => {
    const genuine = await hearGenuine('terminatedRunning')
    const heard = await hearInjected({ when: 'query' }, async (client) => {
      client.send(query('SELECT pg_advisory_lock(4711)'))
    })
    expect(genuine.said[0]).toMatch(/^T /)
    expect(heard).toEqual({ ...genuine, said: genuine.said.slice(1), processId: heard.processId })
    expect(await loggedBy(heard.processId, server())).not.toContain('pg_advisory_lock')
  })
})

describe('in the middle of a result', () => {
  test.each(['rolled_back', 'may_commit'])('after three rows: %s', async (outcome) => {
    const genuine = await hearGenuine('terminatedInResult')
    // The text of the situation; nobody else has the lock, so that nothing waits.
    const sql = 'SELECT id, CASE id WHEN 4 THEN pg_advisory_lock(4711) END AS lock FROM divisors'
    const heard = await hearInjected({ when: 'result', rows: 3, outcome }, async (client) => client.send(query(sql)))
    expect(heard.said).toEqual(genuine.said)
    expect(heard.ending).toBe(genuine.ending)
  })
})
