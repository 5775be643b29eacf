// COPY that fails midway.
import {
  bind,
  copyData,
  copyDone,
  copyFail,
  describe,
  execute,
  parse,
  query,
  sync,
} from '../../../../support/postgres-frontend.ts'
import type { PostgresServer } from '../../../../support/postgres.ts'
import { createAccounts, createDivisors, type Failure, type Situation } from './situation.ts'

const COPY_IN = 'COPY accounts FROM STDIN'
const COUNT = 'SELECT count(*) FROM accounts'
const ROWS = [4, 5, 6, 7].map((id) => copyData(`${id}\t0\n`))

/** Query: COPY FROM STDIN, four CopyData, CopyDone. The server refuses the third row with 23514 and skips the rest. */
export const copyInSimple: Situation = async (client, direct, failure) => {
  await createPickyAccounts(direct, failure)
  client.forget()
  client.send(query(COPY_IN))
  await client.untilCount(1)
  await client.ask([...ROWS, copyDone()])
  await client.query(COUNT)
  return client.messages
}

/** The same in a block, with COMMIT. */
export const copyInBlock: Situation = async (client, direct, failure) => {
  await createPickyAccounts(direct, failure)
  client.forget()
  await client.query('BEGIN')
  client.send(query(COPY_IN))
  await client.untilCount(3)
  await client.ask([...ROWS, copyDone()])
  await client.query('COMMIT')
  await client.query(COUNT)
  return client.messages
}

/** Parse, Bind, Describe, Execute, then four CopyData, CopyDone, Sync. */
export const copyInExtended: Situation = async (client, direct, failure) => {
  await createPickyAccounts(direct, failure)
  client.forget()
  // As psql does: no Sync before the data, which would end the COPY.
  client.send(parse(COPY_IN), bind(), describe(), execute())
  await client.ask([...ROWS, copyDone(), sync()])
  await client.query(COUNT)
  return client.messages
}

/** Query: COPY FROM STDIN, two CopyData, then CopyFail (57014) or CopyDone. */
export const copyInGivenUp: Situation = async (client, direct, failure) => {
  await createAccounts(direct)
  client.forget()
  client.send(query(COPY_IN))
  await client.untilCount(1)
  await client.ask([...ROWS.slice(0, 2), failure === 'genuine' ? copyFail('given up') : copyDone()])
  await client.query(COUNT)
  return client.messages
}

/** Query: COPY TO STDOUT that fails with 22012 after four rows. */
export const copyOut: Situation = async (client, direct, failure) => {
  await createDivisors(direct, failure)
  client.forget()
  await client.query('COPY (SELECT 60 / divisor FROM divisors) TO STDOUT')
  return client.messages
}

/** A CHECK is looked at row by row, a key only for many rows at once. */
async function createPickyAccounts(direct: PostgresServer, failure: Failure): Promise<void> {
  await createAccounts(direct)
  if (failure === 'genuine') await direct.query('ALTER TABLE accounts ADD CONSTRAINT picky CHECK (id <> 6)')
}
