// Logins that the server refuses. Each needs a server as {@link startupServer} describes it.
import type { BackendMessage } from '../../../../support/postgres-backend.ts'
import { PostgresConversation, type ConversationOptions } from '../../../../support/postgres-conversation.ts'
import type { PostgresOptions, PostgresServer } from '../../../../support/postgres.ts'
import type { Failure } from './situation.ts'

/** Of 7 connections, 2 are for superusers. */
export const startupServer: PostgresOptions = {
  settings: { max_connections: '7', superuser_reserved_connections: '2', max_wal_senders: '0' },
  users: [
    { name: 'scram', password: 'right' },
    { name: 'clear', password: 'right' },
    { name: 'single', connectionLimit: 1 },
    { name: 'anybody' },
    { name: 'nobody' },
  ],
  hba: ['host all scram all scram-sha-256', 'host all clear all password', 'host all nobody all reject'],
}

/**
 * A login that fails if the failure is to be genuine.
 *
 * @param port the server's or a proxy's
 * @returns what the server has said, up to the end of the connection or the first ReadyForQuery
 */
export type Login = (port: number, direct: PostgresServer, failure: Failure) => Promise<readonly BackendMessage[]>

/** SCRAM with a wrong password: 28P01. */
export const wrongScramPassword: Login = (port, _direct, failure) =>
  login({ port, user: 'scram', password: failure === 'genuine' ? 'wrong' : 'right' })

/** A wrong password in clear text: 28P01. */
export const wrongClearPassword: Login = (port, _direct, failure) =>
  login({ port, user: 'clear', password: failure === 'genuine' ? 'wrong' : 'right' })

/** 3D000. */
export const unknownDatabase: Login = (port, _direct, failure) =>
  login({ port, user: 'anybody', database: failure === 'genuine' ? 'unknown' : 'postgres' })

/** 3D000 with SCRAM: is the database looked at before the password? */
export const unknownDatabaseWithScram: Login = (port, _direct, failure) =>
  login({ port, user: 'scram', password: 'right', database: failure === 'genuine' ? 'unknown' : 'postgres' })

/** 28000. */
export const unknownUser: Login = (port, _direct, failure) =>
  login({ port, user: failure === 'genuine' ? 'unknown' : 'anybody' })

/** 28000 by a line of pg_hba.conf. */
export const rejectedUser: Login = (port, _direct, failure) =>
  login({ port, user: failure === 'genuine' ? 'nobody' : 'anybody' })

/** 53300 by the user's own limit. */
export const tooManyOfUser: Login = async (port, direct, failure) => {
  await using _others = await occupy(direct, failure, 'single', 1)
  return await login({ port, user: 'single' })
}

/** 53300: what is left is for superusers. The direct connection is one of the five. */
export const onlyReservedLeft: Login = async (port, direct, failure) => {
  await using _others = await occupy(direct, failure, 'postgres', 4)
  return await login({ port, user: 'anybody' })
}

/** 53300: nothing is left. */
export const nothingLeft: Login = async (port, direct, failure) => {
  await using _others = await occupy(direct, failure, 'postgres', 6)
  return await login({ port, user: 'postgres' })
}

/** 57P03: the server shuts down, but waits for its clients. The server is lost. */
export const shuttingDown: Login = async (port, direct, failure) => {
  await using others = await occupy(direct, failure, 'postgres', 1)
  if (failure === 'genuine') {
    const [row] = await direct.query<{ file: string }>(`SELECT pg_read_file('postmaster.pid') AS file`)
    process.kill(Number(row!.file.split('\n')[0]), 'SIGTERM')
    await others.untilLogged('received smart shutdown request')
  }
  return await login({ port, user: 'anybody' })
}

async function login(options: ConversationOptions): Promise<readonly BackendMessage[]> {
  await using conversation = await PostgresConversation.begin(options)
  const over = (): boolean => conversation.ending !== 'open'
  await conversation.until((messages) => over() || messages.some(({ type }) => type === 'Z'), 'success or the end')
  return conversation.messages
}

interface Others extends AsyncDisposable {
  untilLogged(text: string): Promise<void>
}

/** Other connections, as long as they are wanted. */
async function occupy(direct: PostgresServer, failure: Failure, user: string, count: number): Promise<Others> {
  // Makes sure that the direct connection is one of them.
  await direct.query('SELECT')
  const clients = await Promise.all(
    Array.from({ length: failure === 'genuine' ? count : 0 }, () => direct.connect({ user })),
  )
  return {
    async untilLogged(text) {
      while (!direct.log.some((line) => line.includes(text))) await clients[0]?.query('SELECT pg_sleep(0.005)')
    },
    async [Symbol.asyncDispose]() {
      const pids = clients.map((client) => (client as unknown as { processID: number }).processID)
      await Promise.all(clients.map((client) => client.end()))
      // A server process lives on for a moment after the client has gone.
      const sql = 'SELECT FROM pg_stat_activity WHERE pid = ANY($1)'
      while ((await direct.query(sql, [pids]).catch(() => [])).length > 0);
    },
  }
}
