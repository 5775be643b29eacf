// Failures in the extended query protocol, at each of its messages, and of the function call protocol.
import type { PostgresConversation } from '../../../../support/postgres-conversation.ts'
import {
  bind,
  close,
  describe,
  execute,
  flush,
  functionCall,
  parse,
  sync,
} from '../../../../support/postgres-frontend.ts'
import { againstRival, createAccounts, createDivisors, useRepeatableRead, type Situation } from './situation.ts'

const UPDATE = 'UPDATE accounts SET balance = $1 WHERE id = $1'
const BALANCES = 'SELECT id, balance FROM accounts ORDER BY id'

/** Parse, Bind, Describe, Execute, Sync: Execute fails with 40001. */
export const execution: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  await againstRival(client, direct, failure, () =>
    client.ask([parse(UPDATE), bind([1]), describe(), execute(), sync()]),
  )
  await client.query(BALANCES)
  return client.messages
}

/** In a block, by a prepared statement: Execute fails with 40001. After ROLLBACK the statement is used again. */
export const executionInBlock: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  await client.ask([parse(UPDATE, 'change'), sync()])
  client.forget()
  await client.ask([parse('BEGIN'), bind(), execute(), sync()])
  await client.ask([bind([2], 'change'), execute(), sync()])
  await againstRival(client, direct, failure, () => client.ask([bind([1], 'change'), execute(), sync()]))
  await client.ask([bind([3], 'change'), execute(), sync()])
  await client.ask([parse('ROLLBACK'), bind(), execute(), sync()])
  await client.ask([bind([3], 'change'), execute(), sync()])
  await client.query(BALANCES)
  return client.messages
}

/** A pipeline with one Sync: three executions, of which the second fails with 40001; then another pipeline. */
export const executionInPipeline: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  await client.ask([parse(UPDATE, 'change'), sync()])
  client.forget()
  await againstRival(client, direct, failure, () =>
    client.ask([...change(2), ...change(1), ...change(3), sync(), ...change(3), sync()], 2),
  )
  await client.query(BALANCES)
  return client.messages
}

/** As {@link execution}, with Flush instead of Sync; Sync is sent when the error has come. */
export const executionWithFlush: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  await againstRival(client, direct, failure, async () => {
    client.send(parse(UPDATE), bind([1]), execute(), flush())
    await client.untilCount(3)
  })
  await client.ask([close('S'), sync()])
  return client.messages
}

/** Bind, Describe, Execute, Sync: Bind fails with 26000, as the prepared statement is gone. */
export const bindOfUnknown: Situation = async (client, _direct, failure) => {
  await prepare(client, 'SELECT 1 AS one', failure)
  client.forget()
  await client.ask([bind([], 'known'), describe(), execute(), sync()])
  await client.query('SELECT 2 AS two')
  return client.messages
}

/** Bind, Execute, Sync: Bind fails with 0A000, as the statement's table has got another column. */
export const bindOfStalePlan: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await client.ask([parse('SELECT * FROM accounts WHERE id = $1', 'known'), sync()])
  if (failure === 'genuine') await direct.query('ALTER TABLE accounts ADD COLUMN note text')
  client.forget()
  await client.ask([bind([1], 'known'), execute(), sync()])
  return client.messages
}

/** As {@link bindOfStalePlan}, in a block that then is committed. */
export const bindOfStalePlanInBlock: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await client.ask([parse('SELECT * FROM accounts WHERE id = $1', 'known'), sync()])
  if (failure === 'genuine') await direct.query('ALTER TABLE accounts ADD COLUMN note text')
  client.forget()
  await client.query('BEGIN')
  await client.ask([bind([1], 'known'), execute(), sync()])
  await client.query('COMMIT')
  return client.messages
}

/** Parse, Bind, Describe, Execute, Sync: Parse fails with 42P01. */
export const parseOfUnknownTable: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  if (failure === 'genuine') await direct.query('DROP TABLE accounts')
  client.forget()
  await client.ask([parse(BALANCES), bind(), describe(), execute(), sync()])
  return client.messages
}

/** As {@link parseOfUnknownTable}, in a block that then is committed. */
export const parseOfUnknownTableInBlock: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  if (failure === 'genuine') await direct.query('DROP TABLE accounts')
  client.forget()
  await client.query('BEGIN')
  await client.ask([parse(BALANCES), bind(), describe(), execute(), sync()])
  await client.query('COMMIT')
  return client.messages
}

/** Describe of a prepared statement, Sync: fails with 26000. */
export const describeOfUnknownStatement: Situation = async (client, _direct, failure) => {
  await prepare(client, 'SELECT 1 AS one', failure)
  client.forget()
  await client.ask([describe('S', 'known'), sync()])
  return client.messages
}

/** In a block, Describe of a portal, Sync: fails with 34000. */
export const describeOfUnknownPortal: Situation = async (client, _direct, failure) => {
  await client.query('BEGIN')
  await client.ask([parse('SELECT 1 AS one'), bind([], '', 'known'), sync()])
  if (failure === 'genuine') await client.ask([close('P', 'known'), sync()])
  client.forget()
  await client.ask([describe('P', 'known'), sync()])
  await client.query('COMMIT')
  return client.messages
}

/** FunctionCall: fails with 42883, as there is no function with this OID. */
export const callOfUnknownFunction: Situation = async (client, direct, failure) => {
  await direct.query('CREATE OR REPLACE FUNCTION doubled(int) RETURNS int LANGUAGE sql RETURN 2 * $1')
  const [row] = await direct.query<{ oid: number }>(`SELECT 'doubled'::regproc::oid AS oid`)
  if (failure === 'genuine') await direct.query('DROP FUNCTION doubled')
  client.forget()
  await client.ask([functionCall(row!.oid, ['21'])])
  return client.messages
}

/** Parse, Bind, Describe, Execute, Sync: fails with 22012 after four rows. */
export const rows: Situation = async (client, direct, failure) => {
  await createDivisors(direct, failure)
  client.forget()
  await client.ask([parse('SELECT 60 / divisor AS share FROM divisors'), bind(), describe(), execute(), sync()])
  return client.messages
}

/** The same by three Executes of two rows each, the last of which fails at its first row. */
export const rowsInParts: Situation = async (client, direct, failure) => {
  await createDivisors(direct, failure)
  client.forget()
  const parts = [execute(2), execute(2), execute(2)]
  await client.ask([parse('SELECT 60 / divisor AS share FROM divisors'), bind(), describe(), ...parts, sync()])
  return client.messages
}

/** For the prepared statement `change`. */
function change(id: number): Buffer[] {
  return [bind([id], 'change'), execute()]
}

/** Prepares the statement `known`, which is gone again if its use is to fail. */
async function prepare(client: PostgresConversation, sql: string, failure: 'genuine' | 'none'): Promise<void> {
  await client.ask([parse(sql, 'known'), sync()])
  if (failure === 'genuine') await client.ask([close('S', 'known'), sync()])
}
