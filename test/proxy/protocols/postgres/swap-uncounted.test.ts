// Failures that were to be injected and are not, as the server has another error to report: its own passes, and the
// fault is still there for the next statement.
import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import {
  bind,
  close,
  copyData,
  copyDone,
  execute,
  functionCall,
  parse,
  query,
  sync,
} from '../../../support/postgres-frontend.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { createAccounts } from './genuine/situation.ts'
import { loggingServer, proxied, said } from './swap-comparison.ts'

const server = postgresForTests(loggingServer)

const UPDATE = 'UPDATE accounts SET balance = 1'

type Talk = (client: PostgresConversation) => Promise<unknown>

/**
 * Expects that a talk through a proxy with this fault is the one without it, and that the fault is then still there.
 *
 * @param next outside a transaction, fails by the fault
 */
async function expectUntouched(fault: Partial<FaultSpec>, talk: Talk, next: Talk): Promise<void> {
  await createAccounts(server())
  await using direct = await PostgresConversation.connect({ port: server().port, user: 'ann' })
  direct.forget()
  await talk(direct)
  await createAccounts(server())
  await using proxy = await proxied(server())
  proxy.addFault({ type: 'pg_error', times: 1, ...fault, attributes: { code: '40001', ...fault.attributes } })
  await using client = await PostgresConversation.connect({ port: proxy.port, user: 'ann' })
  client.forget()
  await talk(client)
  expect(said(client.messages)).toEqual(said(direct.messages))
  expect(proxy.injections).toEqual([])

  client.forget()
  await next(client)
  expect(client.messages.map(({ fields }) => fields['code']).filter(Boolean)).toEqual(['40001'])
  expect(proxy.injections).toHaveLength(1)
  // Now it is used up.
  client.forget()
  await next(client)
  expect(client.messages.filter(({ type }) => type === 'E')).toEqual([])
}

const update: Talk = (client) => client.query(UPDATE)
const updateByParts: Talk = (client) => client.ask([parse(UPDATE), bind(), execute(), sync()])

const ofUpdate = { match: { statement: 'update' } } as const
const commit = { attributes: { at: 'commit' }, match: { statement: 'commit' } } as const

describe('in a failed transaction', () => {
  test('a simple query', () =>
    expectUntouched(
      ofUpdate,
      async (client) => {
        for (const sql of ['BEGIN', 'SELECT 1/0', UPDATE, 'ROLLBACK']) await client.query(sql)
      },
      update,
    ))

  test('a simple query that is sent before the failure is known', () =>
    expectUntouched(
      ofUpdate,
      (client) => client.ask(['BEGIN', 'SELECT 1/0', UPDATE, 'ROLLBACK'].map(query), 4),
      update,
    ))

  test('an Execute', () =>
    expectUntouched(
      ofUpdate,
      async (client) => {
        await client.query('BEGIN')
        await client.query('SELECT 1/0')
        await updateByParts(client)
        await client.query('ROLLBACK')
      },
      updateByParts,
    ))

  test('an Execute that is sent before the failure is known', () =>
    expectUntouched(
      ofUpdate,
      (client) => {
        const statement = [parse(UPDATE), bind(), execute(), sync()]
        return client.ask([query('BEGIN'), query('SELECT 1/0'), ...statement, query('ROLLBACK')], 4)
      },
      updateByParts,
    ))

  test('a Parse that is sent before the failure is known', () =>
    expectUntouched(
      { ...ofUpdate, attributes: { at: 'parse' } },
      (client) => {
        const statement = [parse(UPDATE), bind(), execute(), sync()]
        return client.ask([query('BEGIN'), query('SELECT 1/0'), ...statement, query('ROLLBACK')], 4)
      },
      updateByParts,
    ))

  test('a function call', async () => {
    const [now] = await server().query<{ oid: number }>(`SELECT 'pg_catalog.now()'::regprocedure::oid AS oid`)
    const call: Talk = (client) => client.ask([functionCall(now!.oid)])
    await expectUntouched(
      // The others are nobody's to fail.
      { skip: 2 },
      async (client) => {
        await client.query('BEGIN')
        await client.query('SELECT 1/0')
        await call(client)
        await client.query('ROLLBACK')
      },
      async (client) => {
        client.forget()
        await client.ask([functionCall(now!.oid)])
      },
    )
  })

  test('a COMMIT, which answers ROLLBACK', () =>
    expectUntouched(
      commit,
      async (client) => {
        for (const sql of ['BEGIN', 'SELECT 1/0', 'COMMIT']) await client.query(sql)
      },
      (client) => client.ask(['BEGIN', 'COMMIT'].map(query), 2),
    ))
})

/** A row has four bytes. */
async function copyIn(client: PostgresConversation, ...ids: readonly number[]): Promise<void> {
  client.send(query('COPY accounts FROM STDIN'))
  await client.until((messages) => messages.at(-1)?.type === 'G', 'CopyInResponse')
  await client.ask([...ids.map((id) => copyData(`${id}\t0\n`)), copyDone()])
}

describe('behind another error, or too early', () => {
  test('a statement of the same simple query', () =>
    expectUntouched(ofUpdate, (client) => client.query(`SELECT 1/0; ${UPDATE}`), update))

  test('an Execute of the same pipeline, which the server skips', () =>
    expectUntouched(
      ofUpdate,
      (client) => client.ask([parse('SELECT 1/0'), bind(), parse(UPDATE), bind(), execute(), sync()]),
      updateByParts,
    ))

  test('an implicit commit, as the statement itself fails', () =>
    expectUntouched(
      { attributes: { at: 'commit' }, match: { statement: 'insert' } },
      (client) => client.query('INSERT INTO accounts VALUES (1, 0)'),
      (client) => client.query('INSERT INTO accounts SELECT max(id) + 1, 0 FROM accounts'),
    ))

  test('a COPY that ends before so many bytes have come', () =>
    expectUntouched(
      { attributes: { at: 'copy', bytes: 10 }, match: { statement: 'copy' } },
      (client) => copyIn(client, 4),
      async (client) => {
        await client.query('TRUNCATE accounts')
        await copyIn(client, 1, 2, 3)
      },
    ))
})

/** Of what fails as there is no `nothing`: by itself, and by a fault while there is one. */
async function expectLeft(talk: Talk): Promise<void> {
  await server().query('DROP TABLE IF EXISTS nothing')
  await using direct = await PostgresConversation.connect({ port: server().port, user: 'ann' })
  direct.forget()
  await talk(direct)
  await server().query('CREATE TABLE nothing (); GRANT ALL ON nothing TO public')
  await using proxy = await proxied(server())
  proxy.addFault({
    type: 'pg_error',
    attributes: { code: '42P01', at: 'parse', message: 'relation "nothing" does not exist', position: 13 },
    match: { table: 'nothing' },
  })
  await using client = await PostgresConversation.connect({ port: proxy.port, user: 'ann' })
  client.forget()
  await talk(client)
  expect(said(client.messages)).toEqual(said(direct.messages))
  expect(proxy.injections).toHaveLength(1)
}

describe('what a Parse that fails leaves', () => {
  const unnamed = [parse('SELECT 1 AS one'), sync()]
  const unnamedAgain = [bind(), execute(), sync()]

  test('of a named statement: the unnamed one', () =>
    expectLeft(async (client) => {
      await client.ask(unnamed)
      await client.ask([parse('SELECT FROM nothing', 'named'), sync()])
      await client.ask(unnamedAgain)
    }))

  test('of the unnamed statement: not the one before it', () =>
    expectLeft(async (client) => {
      await client.ask(unnamed)
      await client.ask([parse('SELECT FROM nothing'), sync()])
      await client.ask(unnamedAgain)
    }))

  test('of a named statement: its name', () =>
    expectLeft(async (client) => {
      await client.ask([parse('SELECT FROM nothing', 'named'), sync()])
      await client.ask([parse('SELECT 1 AS one', 'named'), bind([], 'named'), execute(), close('S', 'named'), sync()])
    }))
})
