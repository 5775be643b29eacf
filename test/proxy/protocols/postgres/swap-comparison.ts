// A failure that a proxy injects, beside the same failure of the server itself: both are heard in one test, and
// compared byte by byte.
import type pg from 'pg'
import { expect } from 'vitest'
import { Network, type FaultSpec, type Injection } from '../../../../proxy/index.ts'
import type { BackendMessage } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { message } from '../../../support/postgres-frontend.ts'
import type { PostgresOptions, PostgresServer } from '../../../support/postgres.ts'
import { portOf } from '../../../support/proxied.ts'
import type { Situation } from './genuine/conversations.ts'

/** Logs each statement that runs, with the process that runs it. */
export const loggingServer: PostgresOptions = {
  settings: { log_statement: 'all', log_line_prefix: '%p|' },
  users: [{ name: 'ann' }],
}

/** How the failure of a situation is injected. */
export interface Injected {
  /** Attributes beside the fields of the error, which are taken from the genuine one. */
  readonly attributes?: Readonly<Record<string, unknown>>
  readonly match?: FaultSpec['match']
  readonly skip?: number
  /** What a rival does to make the failure a genuine one is done before the injected one. */
  readonly rival?: boolean
  /** What the server must not have run, as its log would say it. */
  readonly neverRun?: RegExp
  /** The table that has to hold the same after both. */
  readonly table?: 'accounts' | 'children'
  /** Fields of the error, by letter, that no attribute sets and that differ. */
  readonly except?: readonly string[]
}

/** With this the client ends. */
const LAST = `SELECT 'the last'`

interface Heard {
  readonly messages: readonly BackendMessage[]
  readonly ending: string
  readonly processId: number
}

/** Proxies of a network of its own. */
export interface ProxiedServer extends AsyncDisposable {
  readonly network: Network
  readonly port: number
  addFault(fault: FaultSpec): void
  readonly injections: readonly Injection[]
  /** Types and reasons of events. */
  readonly events: readonly string[]
}

export async function proxied(direct: PostgresServer): Promise<ProxiedServer> {
  const network = new Network({ seed: 1 })
  const proxy = await network.createProxy({
    name: 'p',
    protocol: 'postgres',
    upstream: `${direct.host}:${direct.port}`,
  })
  return {
    network,
    port: portOf(proxy),
    addFault: (fault) => void proxy.addFault(fault),
    get injections() {
      return network.injections.entries()
    },
    get events() {
      return network.events.entries().map(({ type, detail }) => `${type}: ${detail['reason']}`)
    },
    [Symbol.asyncDispose]: () => network.close(),
  }
}

/** Runs the situation twice, failing by itself and by `pg_error`, and expects no difference. */
export async function expectSame(situation: Situation, direct: PostgresServer, injected: Injected): Promise<void> {
  const { attributes, match, skip, rival, neverRun, table, except = [] } = injected
  const genuine = await hear(direct.port, situation, direct, 'genuine')
  const genuineRows = await rowsOf(direct, table)
  const error = genuine.messages.find(({ type }) => type === 'E')
  if (!error) throw new Error('the genuine situation has not failed')

  await using proxy = await proxied(direct)
  proxy.addFault({
    type: 'pg_error',
    attributes: { ...attributesOf(error), ...attributes },
    times: 1,
    ...(match && { match }),
    ...(skip !== undefined && { skip }),
  })
  const heard = await hear(proxy.port, situation, rival ? afterRival(direct) : direct, 'none')

  expect(said(heard.messages, except)).toEqual(said(genuine.messages, except))
  expect(heard.ending).toBe(genuine.ending)
  expect(await rowsOf(direct, table)).toEqual(genuineRows)
  expect(proxy.injections).toMatchObject([
    { type: 'pg_error', action: 'error', detail: { code: error.fields['code'] ?? '' } },
  ])
  expect(proxy.events).toEqual([])
  const log = await loggedBy(heard.processId, direct)
  // Or it would prove nothing.
  expect(log).toContain(LAST)
  if (neverRun) expect(log).not.toMatch(neverRun)
}

async function hear(
  port: number,
  situation: Situation,
  direct: PostgresServer,
  failure: 'genuine' | 'none',
): Promise<Heard> {
  await using client = await PostgresConversation.connect({ port, user: 'ann' })
  await situation(client, direct, failure)
  // What has come too much comes before the answer to this.
  await client.query(LAST)
  return { messages: client.messages, ending: client.ending, processId: client.processId }
}

/** The attributes of `pg_error` that make this error. File and line have none: there they are the usual ones. */
export function attributesOf({ fields }: BackendMessage): Record<string, unknown> {
  const { severity: _, severityUntranslated: __, file: ___, line: ____, position, ...attributes } = fields
  const none = { detail: '', hint: '', where: '' }
  return { ...none, ...attributes, ...(position !== undefined && { position: Number(position) }) }
}

/** A line a message, with all its bytes. */
export function said(messages: readonly BackendMessage[], except: readonly string[] = []): string[] {
  return messages.map((one) => {
    const bytes = comparable(one, except)
    return `${one.type} ${one.summary} ${JSON.stringify(bytes.toString('latin1'))}`
  })
}

function comparable({ type, bytes }: BackendMessage, except: readonly string[]): Buffer {
  if (type === 'T') return withoutTables(bytes)
  if (type === 'E' && except.length > 0) return withoutFields(bytes, except)
  return bytes
}

/** Each table is created anew, with another OID: those are made 0 (PostgreSQL documentation, chapter 54.7). */
function withoutTables(description: Buffer): Buffer {
  const bytes = Buffer.from(description)
  let at = 7
  for (let column = bytes.readInt16BE(5); column > 0; column--) {
    at = bytes.indexOf(0, at) + 1
    bytes.writeInt32BE(0, at)
    at += 18
  }
  return bytes
}

function withoutFields(error: Buffer, letters: readonly string[]): Buffer {
  const fields = error.toString('latin1', 5).split('\0')
  const kept = fields.filter((field) => field === '' || !letters.includes(field.slice(0, 1)))
  return message('E', Buffer.from(kept.join('\0'), 'latin1'))
}

/** The server with account 1 as the rival of the genuine failure leaves it. */
function afterRival(direct: PostgresServer): PostgresServer {
  return {
    ...direct,
    async query<Row extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]> {
      const rows = await direct.query<Row>(sql, values)
      if (sql.includes('CREATE TABLE accounts')) await direct.query('UPDATE accounts SET balance = 100 WHERE id = 1')
      return rows
    },
  }
}

/** By a connection that no proxy sees. */
async function rowsOf(direct: PostgresServer, table: Injected['table']): Promise<unknown> {
  if (!table) return undefined
  const columns = table === 'accounts' ? 'id, balance' : 'parent'
  return await direct.query(`SELECT ${columns} FROM ${table} ORDER BY 1`)
}

let marks = 0

/** What the server has logged of a process: the statements that it has run. */
export async function loggedBy(processId: number, direct: PostgresServer): Promise<string> {
  // All that was logged before this is read before this.
  const mark = `mark ${++marks} of the log`
  await direct.query(`SELECT '${mark}'`)
  while (!direct.log.some((line) => line.includes(mark))) await direct.query('SELECT pg_sleep(0.005)')
  const lines: string[] = []
  let belongs = false
  for (const line of direct.log) {
    // Lines of a longer text follow without the prefix.
    belongs = line.startsWith('\t') ? belongs : line.startsWith(`${processId}|`)
    if (belongs) lines.push(line)
  }
  return lines.join('\n')
}
