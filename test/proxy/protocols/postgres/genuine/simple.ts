// Failures in the simple query protocol.
import { createAccounts, createDivisors, againstRival, useRepeatableRead, type Situation } from './situation.ts'

const BALANCES = 'SELECT id, balance FROM accounts ORDER BY id'

/** Query: an update that fails with 40001, out of a block. */
export const simpleStatement: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  await againstRival(client, direct, failure, () => client.query('UPDATE accounts SET balance = 1 WHERE id = 1'))
  await client.query(BALANCES)
  return client.messages
}

/** Query: BEGIN, an update, one that fails with 40001, a SELECT into the failed block, COMMIT. */
export const simpleStatementInBlock: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  await client.query('BEGIN')
  await client.query('UPDATE accounts SET balance = 2 WHERE id = 2')
  await againstRival(client, direct, failure, () => client.query('UPDATE accounts SET balance = 1 WHERE id = 1'))
  await client.query('SELECT 1 AS one')
  await client.query('COMMIT')
  await client.query(BALANCES)
  return client.messages
}

/** Query: BEGIN, SAVEPOINT, an update that fails with 40001, ROLLBACK TO, another update, COMMIT. */
export const simpleStatementAfterSavepoint: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  await client.query('BEGIN')
  await client.query('SAVEPOINT before')
  await againstRival(client, direct, failure, () => client.query('UPDATE accounts SET balance = 1 WHERE id = 1'))
  await client.query('ROLLBACK TO before')
  await client.query('UPDATE accounts SET balance = 2 WHERE id = 2')
  await client.query('COMMIT')
  await client.query(BALANCES)
  return client.messages
}

/** One Query of three updates, of which the second fails with 40001. */
export const simpleMultiStatement: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  const updates = [2, 1, 3].map((id) => `UPDATE accounts SET balance = ${id} WHERE id = ${id}`)
  await againstRival(client, direct, failure, () => client.query(updates.join('; ')))
  await client.query(BALANCES)
  return client.messages
}

/** One Query: BEGIN, update, COMMIT, then an update that fails with 40001. */
export const simpleMultiStatementAfterCommit: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  const [second, first] = [2, 1].map((id) => `UPDATE accounts SET balance = ${id} WHERE id = ${id}`)
  await againstRival(client, direct, failure, () => client.query(`BEGIN; ${second}; COMMIT; ${first}`))
  await client.query(BALANCES)
  return client.messages
}

/** One Query: BEGIN, update, an update that fails with 40001, COMMIT; then ROLLBACK, as the block stays open. */
export const simpleMultiStatementInBlock: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  await useRepeatableRead(client)
  client.forget()
  const [second, first] = [2, 1].map((id) => `UPDATE accounts SET balance = ${id} WHERE id = ${id}`)
  await againstRival(client, direct, failure, () => client.query(`BEGIN; ${second}; ${first}; COMMIT`))
  await client.query('ROLLBACK')
  await client.query(BALANCES)
  return client.messages
}

/** Query: a SELECT that fails with 22012 after four rows. */
export const simpleRows: Situation = async (client, direct, failure) => {
  await createDivisors(direct, failure)
  client.forget()
  await client.query('SELECT 60 / divisor AS share FROM divisors')
  return client.messages
}

/** Query: BEGIN, a SELECT that fails with 22012 after four rows, COMMIT. */
export const simpleRowsInBlock: Situation = async (client, direct, failure) => {
  await createDivisors(direct, failure)
  client.forget()
  await client.query('BEGIN')
  await client.query('SELECT 60 / divisor AS share FROM divisors')
  await client.query('COMMIT')
  return client.messages
}
