// Errors that are made up say what the server says: each is provoked there and compared field by field.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  defaultError,
  errorVariant,
  type ErrorNames,
  type ErrorVariant,
} from '../../../../proxy/protocols/postgres/default-errors.ts'
import { decodeError, type PgErrorFields } from '../../../../proxy/protocols/postgres/error-fields.ts'
import type { BackendMessage } from '../../../support/postgres-backend.ts'
import { cancel, PostgresConversation, type ConversationOptions } from '../../../support/postgres-conversation.ts'
import { bind, execute, message, query, sync } from '../../../support/postgres-frontend.ts'
import { postgresForTests, startPostgres, type PostgresServer } from '../../../support/postgres.ts'

const server = postgresForTests({
  settings: { deadlock_timeout: '10ms' },
  users: [{ name: 'ann', password: 'secret' }, { name: 'bob' }, { name: 'full', connectionLimit: 0 }],
  hba: ['host all ann all scram-sha-256'],
})

/** The first error of some messages, or the first notice if there is none. */
function errorIn(messages: readonly BackendMessage[]): PgErrorFields {
  const found = messages.find(({ type }) => type === 'E') ?? messages.find(({ type }) => type === 'N')
  if (!found) throw new Error(`no error: ${messages.map(({ type }) => type).join('')}`)
  return decodeError(found.bytes)
}

function numberless(text: string | undefined): string | undefined {
  return text?.replaceAll(/\b\d+\b/g, '#')
}

/**
 * Without what depends on the version of the server to the last digit, or on the text of a query; numbers of processes,
 * transactions and rows are as they happen to be.
 */
function lasting({ line: _line, position: _position, ...fields }: PgErrorFields): Partial<PgErrorFields> {
  const { detail, where } = fields
  if (fields.code !== '40P01') return fields
  return { ...fields, detail: numberless(detail), where: numberless(where) } as Partial<PgErrorFields>
}

function expectDefault(genuine: PgErrorFields, code: string, names?: ErrorNames): void {
  expect(lasting(defaultError(code, names))).toEqual(lasting(genuine))
}

function expectVariant(genuine: PgErrorFields, variant: ErrorVariant, names?: ErrorNames): void {
  expect(lasting(errorVariant(variant, names))).toEqual(lasting(genuine))
}

function session(options: Partial<ConversationOptions> = {}): Promise<PostgresConversation> {
  return PostgresConversation.connect({ port: server().port, ...options })
}

/** What the server says in place of letting somebody in. */
async function refusal(options: Partial<ConversationOptions>): Promise<PgErrorFields> {
  await using conversation = await PostgresConversation.begin({ port: server().port, ...options })
  await conversation.untilEnded()
  return errorIn(conversation.messages)
}

/** The error that somebody gets who wants to be let in; undefined if there is none. */
async function answer(conversation: PostgresConversation): Promise<PgErrorFields | undefined> {
  await conversation.until((all) => all.some(({ type }) => type === 'Z' || type === 'E'), 'an answer')
  const { messages } = conversation
  return messages.some(({ type }) => type === 'E') ? errorIn(messages) : undefined
}

/** PL/pgSQL that is run once. */
function inside(sql: string): string {
  return `DO $$ DECLARE i int; BEGIN ${sql} END $$`
}

/** Until the session waits for a lock, sleeps, or waits for its client. */
async function untilWaiting(
  asked: PostgresServer,
  { processId }: PostgresConversation,
  what: 'Lock' | 'Timeout' | 'Client',
): Promise<void> {
  const waiting = 'SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event_type = $2'
  while ((await asked.query(waiting, [processId, what])).length === 0);
}

describe('of one session', () => {
  test.each<[code: string, sql: string, names?: ErrorNames]>([
    ['21000', 'SELECT (SELECT g FROM generate_series(1, 2) g)'],
    ['22001', `CREATE TEMP TABLE t (a varchar(3)); INSERT INTO t VALUES ('long')`],
    ['22003', 'SELECT 2147483647 + 1'],
    ['22007', `SELECT 'x'::date`],
    ['22008', `SELECT '2020-13-45'::date`],
    ['22012', 'SELECT 1 / 0'],
    ['22021', `SELECT convert_from('\\xff', 'UTF8')`],
    ['22P02', `SELECT 'x'::int`],
    ['25001', 'BEGIN; VACUUM', { command: 'VACUUM' }],
    ['25006', 'BEGIN READ ONLY; CREATE TABLE t ()', { command: 'CREATE TABLE' }],
    ['25P01', 'SAVEPOINT s', { command: 'SAVEPOINT' }],
    ['26000', 'EXECUTE "p{table}"', { prepared: 'p{table}' }],
    ['26000', 'DEALLOCATE "S_1"'],
    ['3B001', 'BEGIN; ROLLBACK TO s'],
    ['3F000', 'CREATE TABLE s.t ()'],
    ['42601', 'SELECT * FROM'],
    ['42702', 'SELECT id FROM (SELECT 1 AS id) a, (SELECT 1 AS id) b'],
    ['42703', 'SELECT id'],
    ['42704', 'SELECT 1::t'],
    ['42883', 'SELECT f(1)'],
    ['42P01', 'SELECT * FROM orders', { table: 'orders' }],
    ['42P03', 'BEGIN; DECLARE c CURSOR FOR SELECT 1; DECLARE c CURSOR FOR SELECT 1', { portal: 'c' }],
    ['42P05', 'PREPARE s AS SELECT 1; PREPARE s AS SELECT 1', { prepared: 's' }],
    ['42P07', 'CREATE TEMP TABLE sums (); CREATE TEMP TABLE sums ()', { table: 'sums' }],
    ['53400', `SET temp_file_limit = 0; SET work_mem = '64kB'; SELECT g FROM generate_series(1, 99999) g ORDER BY 1`],
    ['58P01', `LOAD 'l'`],
    ['P0001', inside(`RAISE 'raised';`)],
    ['P0002', inside('SELECT 1 INTO STRICT i WHERE false;')],
    ['P0003', inside('SELECT g INTO STRICT i FROM generate_series(1, 2) g;')],
    ['P0004', inside('ASSERT false;')],
  ])('%s by %s', async (code, sql, names) => {
    await using conversation = await session()
    expectDefault(errorIn(await conversation.query(sql)), code, names)
  })

  test('constraints', async () => {
    await using conversation = await session()
    await conversation.query(`
      CREATE TABLE sums (id int PRIMARY KEY, amount int CHECK (amount >= 0));
      CREATE TABLE parents (id int PRIMARY KEY);
      CREATE TABLE children (parent_id int REFERENCES parents);
      CREATE TABLE stays (period int4range, EXCLUDE USING gist (period WITH &&))`)
    const saidTo = async (sql: string): Promise<PgErrorFields> => errorIn(await conversation.query(sql))

    expectDefault(await saidTo('INSERT INTO sums VALUES (null, 1)'), '23502', { table: 'sums' })
    expectDefault(await saidTo('INSERT INTO children VALUES (1)'), '23503', { table: 'children' })
    expectDefault(await saidTo('INSERT INTO sums VALUES (1, 1), (1, 1)'), '23505', { table: 'sums' })
    expectDefault(await saidTo('INSERT INTO sums VALUES (1, -1)'), '23514', { table: 'sums' })
    const overlapping = `INSERT INTO stays VALUES ('[1,5)'), ('[2,3)')`
    expectDefault(await saidTo(overlapping), '23P01', { table: 'stays' })
  })

  test('25P02 in a transaction that has failed', async () => {
    await using conversation = await session()
    await conversation.query('BEGIN; SELECT 1 / 0')
    expectDefault(errorIn(await conversation.query('SELECT 1')), '25P02')
  })

  test('0A000 by a prepared statement whose table has changed', async () => {
    await using conversation = await session()
    await conversation.query('CREATE TEMP TABLE t (a int); PREPARE s AS SELECT * FROM t; ALTER TABLE t ADD b int')
    expectDefault(errorIn(await conversation.query('EXECUTE s')), '0A000')
  })

  test('names that are not there, in the extended query protocol', async () => {
    await using conversation = await session()
    const ask = async (asked: Buffer): Promise<PgErrorFields> => errorIn(await conversation.ask([asked, sync()]))
    expectDefault(await ask(bind([], 'S_9')), '26000', { prepared: 'S_9' })
    expectVariant(await ask(bind()), 'unnamed_statement')
    expectDefault(await ask(execute(0, 'c')), '34000', { portal: 'c' })
    expectVariant(errorIn(await conversation.query('FETCH c')), 'cursor', { portal: 'c' })
  })

  test('08P01 by an Execute that is too long', async () => {
    await using conversation = await session()
    const asked = message('E', Buffer.alloc(1 + 4 + 1))
    expectDefault(errorIn(await conversation.ask([asked, sync()])), '08P01')
  })

  test('54001 by a function that calls itself', async () => {
    await using conversation = await session()
    await conversation.query(`CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`)
    await conversation.query(`CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT pg_temp.f()'`)
    // It says of every call where it was made.
    const { where: _where, ...said } = errorIn(await conversation.query('SELECT pg_temp.f()'))
    expectDefault(said, '54001')
  })

  test('42501 without the right to a table', async () => {
    await server().query('CREATE TABLE secrets ()')
    await using conversation = await session({ user: 'bob' })
    expectDefault(errorIn(await conversation.query('SELECT * FROM secrets')), '42501', { table: 'secrets' })
  })

  test('57014 and 55P03 by timeouts', async () => {
    await server().query('CREATE TABLE held (a int); INSERT INTO held VALUES (1)')
    await using holder = await session()
    await holder.query('BEGIN; UPDATE held SET a = 2')
    await using conversation = await session()
    const cancelled = await conversation.query(`SET statement_timeout = '1ms'; SELECT pg_sleep(60)`)
    expectVariant(errorIn(cancelled), 'statement_timeout')
    const waited = await conversation.query(`RESET statement_timeout; SET lock_timeout = '1ms'; UPDATE held SET a = 3`)
    expectVariant(errorIn(waited), 'lock_timeout', { table: 'held' })
  })
})

describe('of sessions that meet', () => {
  test('40001 because of another update, and of another delete', async () => {
    await server().query('CREATE TABLE met (id int, a int); INSERT INTO met VALUES (1, 1), (2, 2)')
    await using conversation = await session()
    const after = async (other: string): Promise<PgErrorFields> => {
      await conversation.query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM met')
      await server().query(other)
      const said = errorIn(await conversation.query('UPDATE met SET a = 3'))
      await conversation.query('ROLLBACK')
      return said
    }
    expectDefault(await after('UPDATE met SET a = 2 WHERE id = 1'), '40001')
    expectVariant(await after('DELETE FROM met WHERE id = 1'), 'concurrent_delete')
  })

  test('40001 of serializable transactions', async () => {
    await server().query('CREATE TABLE read (id int PRIMARY KEY, a int); INSERT INTO read VALUES (1, 1), (2, 2)')
    await using one = await session()
    await using other = await session()
    for (const each of [one, other]) await each.query('BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT sum(a) FROM read')
    await one.query('UPDATE read SET a = 3 WHERE id = 1')
    await other.query('UPDATE read SET a = 3 WHERE id = 2')
    await other.query('COMMIT')
    expectVariant(errorIn(await one.query('COMMIT')), 'read_write_dependencies')
  })

  test('40P01', async () => {
    await server().query('CREATE TABLE dead (id int, a int); INSERT INTO dead VALUES (1, 1), (2, 2)')
    await using one = await session()
    await using other = await session()
    await one.query('BEGIN; UPDATE dead SET a = 3 WHERE id = 1')
    await other.query('BEGIN; UPDATE dead SET a = 3 WHERE id = 2')
    for (const each of [one, other]) each.forget()
    one.send(query('UPDATE dead SET a = 4 WHERE id = 2'))
    other.send(query('UPDATE dead SET a = 4 WHERE id = 1'))
    // One of them is told, which one is up to the server; that frees the other one after it has ended.
    const told = await Promise.any(
      [one, other].map(async (each) => {
        await each.untilReady()
        return errorIn(each.messages)
      }),
    )
    expectDefault(told, '40P01', { table: 'dead' })
  })

  test('55P03 by rows and tables that others have', async () => {
    await server().query('CREATE TABLE had (a int); INSERT INTO had VALUES (1)')
    await using holder = await session()
    await holder.query('BEGIN; UPDATE had SET a = 2')
    await using conversation = await session()
    const row = await conversation.query('SELECT * FROM had FOR UPDATE NOWAIT')
    expectDefault(errorIn(row), '55P03', { table: 'had' })
    const table = await conversation.query('BEGIN; LOCK TABLE had NOWAIT')
    expectVariant(errorIn(table), 'table_lock', { table: 'had' })
  })

  test('57014 because the client says so', async () => {
    await using conversation = await session()
    conversation.forget()
    conversation.send(query('SELECT pg_sleep(60)'))
    await untilWaiting(server(), conversation, 'Timeout')
    await cancel(server().port, conversation)
    await conversation.untilReady()
    expectDefault(errorIn(conversation.messages), '57014')
  })

  test('XX000 by two who change the same thing', async () => {
    await server().query('CREATE TABLE granted ()')
    await using one = await session()
    await using other = await session()
    await one.query('BEGIN; GRANT SELECT ON granted TO bob')
    other.forget()
    other.send(query('GRANT INSERT ON granted TO bob'))
    await untilWaiting(server(), other, 'Lock')
    await one.query('COMMIT')
    await other.untilReady()
    expectDefault(errorIn(other.messages), 'XX000')
  })
})

describe('of those who are not let in', () => {
  test('who they are', async () => {
    await server().query('CREATE ROLE nobody')
    expectDefault(await refusal({ user: 'nobody' }), '28000', { user: 'nobody' })
    expectDefault(await refusal({ user: 'ann', password: 'wrong' }), '28P01', { user: 'ann' })
  })

  test('where they want to', async () => {
    await server().query('CREATE DATABASE full_one CONNECTION LIMIT 0')
    await server().query('CREATE DATABASE closed ALLOW_CONNECTIONS false')
    expectDefault(await refusal({ database: 'nowhere' }), '3D000', { database: 'nowhere' })
    expectDefault(await refusal({ database: 'closed' }), '55000', { database: 'closed' })
    const full = await refusal({ user: 'bob', database: 'full_one' })
    expectVariant(full, 'database_connection_limit', { database: 'full_one' })
  })

  test('how many there are', async () => {
    expectVariant(await refusal({ user: 'full' }), 'role_connection_limit', { user: 'full' })
    const settings = { max_connections: '6', superuser_reserved_connections: '1', reserved_connections: '2' }
    await using small = await startPostgres({ settings, users: [{ name: 'ann' }] })
    // All stay in until the server is stopped.
    const fill = async (user: string): Promise<PgErrorFields> => {
      for (;;) {
        const said = await answer(await PostgresConversation.begin({ port: small.port, user }))
        if (said) return said
      }
    }
    expectVariant(await fill('ann'), 'reserved_connections')
    expectDefault(await fill('postgres'), '53300')
  })

  test('57P03 while the server shuts down, and 57P01 for those who are thrown out at once', async () => {
    await using stopping = await startPostgres()
    await using inside = await PostgresConversation.connect({ port: stopping.port })
    const postmaster = await processOf(stopping)
    // One that has not quite finished an answer when it is thrown out says nothing more.
    await untilWaiting(stopping, inside, 'Client')
    inside.forget()

    // Smart shutdown: waits for those who are in.
    process.kill(postmaster, 'SIGTERM')
    let said: PgErrorFields | undefined
    while (said?.code !== '57P03') {
      await using another = await PostgresConversation.begin({ port: stopping.port })
      said = await answer(another)
    }
    expectVariant(said, 'shutting_down')

    process.kill(postmaster, 'SIGQUIT')
    await inside.untilEnded()
    expect(inside.messages.map(({ type }) => type)).toEqual(['N'])
    expectVariant(errorIn(inside.messages), 'immediate_shutdown')
  })
})

describe('of connections that the server ends', () => {
  test.each([
    ['25P03', `SET idle_in_transaction_session_timeout = '1ms'; BEGIN`],
    ['25P04', `SET transaction_timeout = '1ms'; BEGIN`],
    ['57P05', `SET idle_session_timeout = '1ms'`],
    ['57P01', 'SELECT pg_terminate_backend(pg_backend_pid())'],
  ])('%s by %s', async (code, sql) => {
    await using conversation = await session()
    conversation.send(query(sql))
    await conversation.untilEnded()
    expectDefault(errorIn(conversation.messages), code)
  })

  test('57P02 because another one has crashed', async () => {
    await using crashing = await startPostgres()
    const connect = (): Promise<PostgresConversation> => PostgresConversation.connect({ port: crashing.port })
    await using crashed = await connect()
    await using other = await connect()
    other.forget()
    // As above.
    await untilWaiting(crashing, other, 'Client')
    process.kill(crashed.processId, 'SIGKILL')
    await other.untilEnded()
    expect(other.messages.map(({ type }) => type)).toEqual(['N'])
    expectDefault(errorIn(other.messages), '57P02')
  })
})

test('53200 by too many locks', async () => {
  await using small = await startPostgres({ settings: { max_locks_per_transaction: '10', max_connections: '5' } })
  await using conversation = await PostgresConversation.connect({ port: small.port })
  const said = await conversation.query('SELECT count(pg_advisory_lock(g)) FROM generate_series(1, 100000) g')
  expectVariant(errorIn(said), 'out_of_shared_memory')
})

describe('without words of the server', () => {
  test('an error is named by its condition', () => {
    expect(defaultError('22034')).toEqual({ severity: 'ERROR', code: '22034', message: 'more than one sql json item' })
    expect(defaultError('40P77').message).toBe('transaction rollback')
  })

  test('who is rejected at startup gets no further, and warnings are warnings', () => {
    expect(defaultError('08004').severity).toBe('FATAL')
    expect(defaultError('01000').severity).toBe('WARNING')
  })

  test('names that are not known could be real, and none is left in braces', () => {
    expect(defaultError('23505').constraint).toBe('accounts_pkey')
    expect(JSON.stringify(defaultError('40P01'))).not.toContain('{table}')
  })
})

/** The server's first process. */
async function processOf(asked: PostgresServer): Promise<number> {
  const [row] = await asked.query<{ folder: string }>(`SELECT current_setting('data_directory') AS folder`)
  return Number(readFileSync(join(row!.folder, 'postmaster.pid'), 'utf8').split('\n')[0])
}
