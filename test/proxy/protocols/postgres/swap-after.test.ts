// Statements that run and then fail: as if the next statement, which the client has not sent, had failed.
import { describe, expect, test } from 'vitest'
import { transcript } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, describe as describePortal, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { createAccounts, type Situation } from './genuine/situation.ts'
import { expectSame, loggedBy, loggingServer, proxied } from './swap-comparison.ts'

const server = postgresForTests(loggingServer)

const INSERT = 'INSERT INTO accounts VALUES (9, 0)'
const COUNT = 'SELECT count(*) FROM accounts'

const afterInsert = { attributes: { at: 'after' }, match: { query: '(9, 0)' }, table: 'accounts' } as const

/** Simple queries; in the genuine case `/* fails *\/` is a statement that fails. */
function simple(...queries: readonly string[]): Situation {
  return async (client, direct, failure) => {
    await createAccounts(direct)
    client.forget()
    for (const sql of queries)
      await client.query(sql.replace('/* fails */', failure === 'genuine' ? '; SELECT 1/0' : ''))
    await client.query(COUNT)
    return client.messages
  }
}

/** An Execute of a portal that does not exist: in the genuine case it follows the statement's own. */
function gone(failure: 'genuine' | 'none'): Buffer[] {
  return failure === 'genuine' ? [execute(0, 'gone')] : []
}

describe('a simple query runs and fails', () => {
  test('by itself: its result, the error, nothing stored', () =>
    expectSame(simple(`${INSERT}/* fails */`), server(), afterInsert))

  test('with a comment at its end', () => expectSame(simple(`${INSERT}/* fails */ -- nine`), server(), afterInsert))

  test('in a block, which then can only be rolled back', () =>
    expectSame(simple('BEGIN', `${INSERT}/* fails */`, 'COMMIT'), server(), afterInsert))

  test('behind a savepoint, to which the block can return', () => {
    const queries = ['BEGIN', 'SAVEPOINT before', `${INSERT}/* fails */`, 'ROLLBACK TO before', 'COMMIT']
    return expectSame(simple(...queries), server(), afterInsert)
  })

  test('as one of several statements: those before it are undone, those behind it do not run', () => {
    const statements = `INSERT INTO accounts VALUES (8, 0); ${INSERT}/* fails */; INSERT INTO accounts VALUES (10, 0)`
    return expectSame(simple(statements), server(), afterInsert)
  })

  test('with rows', () => {
    const injected = { ...afterInsert, match: { query: 'RETURNING' } }
    return expectSame(simple(`${INSERT} RETURNING id, balance/* fails */`), server(), injected)
  })
})

/** The same by the extended protocol, with messages before and behind. */
function extended(before: readonly string[], after: readonly string[]): Situation {
  return async (client, direct, failure) => {
    await createAccounts(direct)
    client.forget()
    for (const sql of before) await client.query(sql)
    await client.ask([parse(INSERT), bind(), describePortal(), execute(), ...gone(failure), sync()])
    for (const sql of after) await client.query(sql)
    await client.query(COUNT)
    return client.messages
  }
}

const pipeline: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  client.forget()
  const insert = parse('INSERT INTO accounts VALUES ($1, 0)', 'add')
  const steps = [8, 9, 10].flatMap((id) => [bind([id], 'add'), execute(), ...(id === 9 ? gone(failure) : [])])
  await client.ask([insert, ...steps, sync(), bind([11], 'add'), execute(), sync()], 2)
  await client.query(COUNT)
  return client.messages
}

describe('Execute runs and fails', () => {
  test('by itself: its result, the error, nothing stored', () => expectSame(extended([], []), server(), afterInsert))

  test('in a block, which then can only be rolled back', () =>
    expectSame(extended(['BEGIN'], ['COMMIT']), server(), afterInsert))

  test('in a pipeline: what comes before it is undone, what follows does not run', () =>
    expectSame(pipeline, server(), {
      ...afterInsert,
      match: { statement: 'insert', parameters: { 1: '9' } },
      neverRun: /\$1 = '10'/,
    }))
})

describe('what can not be undone is not made to fail after it has run', () => {
  const after = { type: 'pg_error', attributes: { code: '40001', at: 'after' }, times: 1 }
  const alone = 'fault_not_applied: the server runs this statement only by itself'

  test.each([
    ['VACUUM accounts', 'VACUUM', alone],
    ['CREATE INDEX CONCURRENTLY ON accounts (balance)', 'CREATE INDEX', alone],
  ])('%s', async (sql, tag, event) => {
    await createAccounts(server())
    await server().query('ALTER TABLE accounts OWNER TO ann')
    await using proxy = await proxied(server())
    proxy.addFault(after)
    await using client = await PostgresConversation.connect({ port: proxy.port, user: 'ann' })
    expect(transcript(await client.query(sql))).toEqual([`C ${tag}`, 'Z I'])
    expect(transcript(await client.ask([parse(sql), bind(), execute(), sync()]))).toEqual(['1', '2', `C ${tag}`, 'Z I'])
    expect(proxy.events).toEqual([event, event])
    expect(proxy.injections).toEqual([])
    // It has not been used up.
    const failed = await client.query(INSERT)
    expect(failed.map(({ fields }) => fields['code'])).toEqual([undefined, '40001', undefined])
    expect(proxy.injections).toHaveLength(1)
  })

  test('COMMIT', async () => {
    await createAccounts(server())
    await using proxy = await proxied(server())
    proxy.addFault({ ...after, match: { statement: 'commit' } })
    await using client = await PostgresConversation.connect({ port: proxy.port, user: 'ann' })
    client.forget()
    await client.query('BEGIN')
    await client.query(INSERT)
    await client.query('COMMIT')
    expect(transcript(client.messages)).toEqual(['C BEGIN', 'Z T', 'C INSERT 0 1', 'Z T', 'C COMMIT', 'Z I'])
    expect(proxy.events).toEqual(['fault_not_applied: the effects of commit can not be undone'])
    expect(proxy.injections).toEqual([])
    expect(await server().query('SELECT id FROM accounts WHERE id = 9')).toHaveLength(1)
  })
})

test('rows before a failure are described as those of the statement itself', async () => {
  await createAccounts(server())
  await using direct = await PostgresConversation.connect({ port: server().port, user: 'ann' })
  const sql = 'SELECT id, balance AS amount FROM accounts ORDER BY id'
  const [description, first, second] = await direct.query(sql)
  await using proxy = await proxied(server())
  proxy.addFault({ type: 'pg_error', attributes: { code: '40001', at: 'rows', rows: 2 }, match: { table: 'accounts' } })
  await using client = await PostgresConversation.connect({ port: proxy.port, user: 'ann' })
  const heard = await client.ask([query(sql)])
  expect(heard.slice(0, 3).map(({ bytes }) => bytes)).toEqual([description, first, second].map((one) => one?.bytes))
  expect(transcript(heard.slice(3))).toEqual([
    'E 40001 ERROR could not serialize access due to concurrent update',
    'Z I',
  ])
  expect(await loggedBy(client.processId, server())).toContain('FETCH FORWARD 2')
})
