// What the genuine conversations have in common: the tables they are about, and a rival that makes them fail.
import type { BackendMessage } from '../../../../support/postgres-backend.ts'
import type { PostgresConversation } from '../../../../support/postgres-conversation.ts'
import type { PostgresServer } from '../../../../support/postgres.ts'

/**
 * `genuine`: the server is brought to fail by itself, by a second connection or by what is in its tables. `none`:
 * nothing fails, so that a proxy can inject the same failure into the same messages of the client.
 */
export type Failure = 'genuine' | 'none'

/**
 * Messages of a client in which something fails. What comes before (tables, `SET`) is not part of the result.
 *
 * @param client logged in as any user, to the server itself or through a proxy
 * @param direct the server, past any proxy
 * @returns what the server has said, mostly with a look behind the failure at the end: does it hold what it should?
 */
export type Situation = (
  client: PostgresConversation,
  direct: PostgresServer,
  failure: Failure,
) => Promise<readonly BackendMessage[]>

const LOOKS = 1000

/** Accounts 1 to 3, each with a balance of 0. */
export async function createAccounts(direct: PostgresServer): Promise<void> {
  await direct.query(`
    DROP TABLE IF EXISTS accounts;
    CREATE TABLE accounts (id int PRIMARY KEY, balance int NOT NULL);
    INSERT INTO accounts SELECT id, 0 FROM generate_series(1, 3) AS id;
    GRANT ALL ON accounts TO public;
  `)
}

/** Divisors 1 to 6 in this order; the fifth is 0 if the division is to fail after four rows. */
export async function createDivisors(direct: PostgresServer, failure: Failure): Promise<void> {
  const divisor = failure === 'genuine' ? 'nullif(id, 5)' : 'id'
  await direct.query(`
    DROP TABLE IF EXISTS divisors;
    CREATE TABLE divisors AS SELECT id, coalesce(${divisor}, 0) AS divisor FROM generate_series(1, 6) AS id;
    GRANT ALL ON divisors TO public;
  `)
}

/** Children that need a parent, but not before the commit; their parent 7 is missing if the commit is to fail. */
export async function createFamily(direct: PostgresServer, failure: Failure): Promise<void> {
  await direct.query(`
    DROP TABLE IF EXISTS parents, children;
    CREATE TABLE parents (id int PRIMARY KEY);
    CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
    GRANT ALL ON parents, children TO public;
  `)
  if (failure === 'none') await direct.query('INSERT INTO parents VALUES (7)')
}

/** Under this isolation, an update of a row that another transaction has changed since fails with 40001. */
export async function useRepeatableRead(client: PostgresConversation): Promise<void> {
  await client.query('SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ')
}

/** If the failure is to be genuine, has a rival change account 1 and commit as soon as the client waits for it. */
export async function againstRival(
  client: PostgresConversation,
  direct: PostgresServer,
  failure: Failure,
  work: () => Promise<unknown>,
): Promise<void> {
  if (failure === 'none') return void (await work())
  const rival = await direct.connect()
  try {
    await rival.query('BEGIN')
    await rival.query('UPDATE accounts SET balance = balance + 100 WHERE id = 1')
    const commit = untilWaitingForLock(client, direct).then(() => rival.query('COMMIT'))
    await Promise.all([work(), commit])
  } finally {
    await rival.end()
  }
}

/** Waits until the client's statement runs and waits for a lock. */
export async function untilWaitingForLock(client: PostgresConversation, direct: PostgresServer): Promise<void> {
  for (let look = 1; look <= LOOKS; look++) {
    const waiting = await direct.query('SELECT FROM pg_locks WHERE pid = $1 AND NOT granted', [client.processId])
    if (waiting.length > 0) return
    // Only to leave the processor to others between the looks.
    await direct.query('SELECT pg_sleep(0.005)')
  }
  throw new Error('the client has never waited for a lock')
}
