// Connections that the server ends. Here nothing happens without the failure: `none` waits until a proxy ends them.
import type { PostgresConversation } from '../../../../support/postgres-conversation.ts'
import { query } from '../../../../support/postgres-frontend.ts'
import type { PostgresServer } from '../../../../support/postgres.ts'
import { createDivisors, untilWaitingForLock, type Situation } from './situation.ts'

/** Any number that nobody else locks. */
const LOCK = 4711

/** pg_terminate_backend while idle: 57P01. */
export const terminatedIdle: Situation = async (client, direct, failure) => {
  client.forget()
  if (failure === 'genuine') await terminate(client, direct)
  await client.untilEnded()
  return client.messages
}

/** Query: BEGIN; pg_terminate_backend while idle in the transaction: 57P01. */
export const terminatedIdleInBlock: Situation = async (client, direct, failure) => {
  client.forget()
  await client.query('BEGIN')
  if (failure === 'genuine') await terminate(client, direct)
  await client.untilEnded()
  return client.messages
}

/** Query: a SELECT that waits for a lock; pg_terminate_backend: 57P01. */
export const terminatedRunning: Situation = async (client, direct, failure) => {
  await whileLocked(direct, async () => {
    client.forget()
    client.send(query(`SELECT pg_advisory_lock(${LOCK})`))
    await untilWaitingForLock(client, direct)
    if (failure === 'genuine') await terminate(client, direct)
    await client.untilEnded()
  })
  return client.messages
}

/** Query: a SELECT that waits for a lock behind its third row; pg_terminate_backend: 57P01. */
export const terminatedInResult: Situation = async (client, direct, failure) => {
  await createDivisors(direct, 'none')
  await whileLocked(direct, async () => {
    client.forget()
    client.send(query(`SELECT id, CASE id WHEN 4 THEN pg_advisory_lock(${LOCK}) END AS lock FROM divisors`))
    await untilWaitingForLock(client, direct)
    if (failure === 'genuine') await terminate(client, direct)
    await client.untilEnded()
  })
  return client.messages
}

/**
 * Query: a SELECT of 32 MB, more than all socket buffers hold, that the client does not read; pg_terminate_backend.
 * The server can't say an error in the middle of a message: the result breaks off.
 */
export const terminatedUnread: Situation = async (client, direct, failure) => {
  client.forget()
  client.socket.socket.pause()
  client.send(query(`SELECT n, repeat('x', 65536) FROM generate_series(1, 512) AS n`))
  if (failure === 'genuine') {
    await untilStuck(client, direct)
    await terminate(client, direct)
  }
  client.socket.socket.resume()
  await client.untilEnded()
  return client.messages
}

/** Query: BEGIN, under a short idle_in_transaction_session_timeout: 25P03. */
export const idleInTransactionTooLong: Situation = async (client, _direct, failure) => {
  if (failure === 'genuine') await client.query(`SET idle_in_transaction_session_timeout = '20ms'`)
  client.forget()
  await client.query('BEGIN')
  await client.untilEnded()
  return client.messages
}

/** Idle under a short idle_session_timeout: 57P05. */
export const idleTooLong: Situation = async (client, _direct, failure) => {
  if (failure === 'genuine') await client.query(`SET idle_session_timeout = '20ms'`)
  client.forget()
  await client.untilEnded()
  return client.messages
}

/** Another server process crashes: 57P02 as a warning. For a server of its own: all connections end. */
export const crashed: Situation = async (client, direct, failure) => {
  client.forget()
  await client.query('BEGIN')
  if (failure === 'genuine') {
    const other = await direct.connect()
    const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    process.kill(rows[0]!.pid, 'SIGKILL')
  }
  await client.untilEnded()
  return client.messages
}

/** Ends the client's server process and waits until it is gone. */
async function terminate(client: PostgresConversation, direct: PostgresServer): Promise<void> {
  await direct.query('SELECT pg_terminate_backend($1, 5000)', [client.processId])
}

/** Runs `work` while another connection holds the lock. */
async function whileLocked(direct: PostgresServer, work: () => Promise<void>): Promise<void> {
  const holder = await direct.connect()
  try {
    await holder.query('SELECT pg_advisory_lock($1)', [LOCK])
    await work()
  } finally {
    await holder.end()
  }
}

/** Looks in a row that see the server wait: with its buffers not yet full it also waits, but never so long. */
const LOOKS_IN_A_ROW = 20

/** Waits until the client's buffers and the server's are full. */
async function untilStuck(client: PostgresConversation, direct: PostgresServer): Promise<void> {
  const sql = `SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'ClientWrite'`
  for (let inARow = 0; inARow < LOOKS_IN_A_ROW;) {
    const stuck = await direct.query(sql, [client.processId])
    inARow = stuck.length > 0 ? inARow + 1 : 0
    await direct.query('SELECT pg_sleep(0.005)')
  }
}
