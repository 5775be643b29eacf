// How a statement is made to fail by the server itself: it gets, in place of the client's message, one of the same kind
// that must fail and names a nonce; its error, which names the nonce too, is then rewritten. So the server does the
// aborting, the skipping and the ordering, and both ends agree about the transaction. Measured on PostgreSQL 15 and 18.
import { randomBytes } from 'node:crypto'
import type { FailurePoint, PostgresEvent } from '../../faults/postgres/postgres-fault.ts'
import { special, type Expected, type Firing, type Gate } from './expected.ts'
import type { SqlStatement, StatementKind } from './sql.ts'
import {
  bind,
  closeStatement,
  describe,
  execute,
  functionCall,
  HEADER_BYTES,
  parse,
  query,
  STATEMENT,
  type TextEncoding,
} from './wire.ts'

/** What goes to the server in place of a message, and the answers to that. */
export interface Swap {
  readonly send: readonly Buffer[]
  readonly expect: readonly Expected[]
}

/** SQLSTATEs of the errors that are provoked. */
export const Provoked = {
  cursor: '34000',
  function: '42883',
  prepared: '26000',
  query: '57014',
  relation: '42P01',
} as const

const PREFIX = 'faultline_'

export function newNonce(): string {
  return PREFIX + randomBytes(8).toString('hex')
}

/** An OID that no function has: they are given out from the other end. */
export function newNonceOid(): number {
  return 4_000_000_000 + (randomBytes(4).readUInt32BE() % 290_000_000)
}

const NONCES = /faultline_[0-9a-f]{16}|\b4\d{9}\b/

/** The nonce that an error of the server names. */
export function nonceIn(text: string): string | undefined {
  return NONCES.exec(text)?.[0]
}

// ---- where it can be done --------------------------------------------------------------------------------------------

const ENDS_TRANSACTION: ReadonlySet<StatementKind> = new Set(['commit', 'rollback'])
const NOTHING_TO_COMMIT: ReadonlySet<StatementKind> = new Set(['begin', 'rollback', 'savepoint'])

/** Whether a statement can be made to fail like this; false if it would not be its time, a reason if it never can. */
export function canFail(point: FailurePoint, event: PostgresEvent): boolean | string {
  const { transaction, sql, via } = event
  // The server says so itself: 25P02.
  if (transaction === 'failed') return false
  if (point.at === 'instead') return true
  if (via === 'function') return 'a function call can only fail at once'
  if (!sql) return 'the text of the statement is not known'
  const { kind } = sql
  switch (point.at) {
    case 'after':
      if (ENDS_TRANSACTION.has(kind)) return `the effects of ${kind} can not be undone`
      if (via === 'extended' && takesData(sql)) return COPY_TAKES_DATA
      return togetherWithAnother(event)
    case 'commit':
      if (kind === 'commit') return transaction === 'open'
      // The implicit commit is at the end of the query, unless another statement commits before.
      if (transaction !== 'idle' || !event.undivided || NOTHING_TO_COMMIT.has(kind)) return false
      return togetherWithAnother(event)
    case 'rows': {
      if (takesData(sql)) return COPY_TAKES_DATA
      if (via === 'extended') return event.maxRows === 0 || event.maxRows > point.rows
      if (kind !== 'select' || NO_CURSOR.test(sql.text)) {
        return 'in simple queries only a select that a cursor can be declared for can fail between two rows'
      }
      return event.only || 'in simple queries of several statements nothing can fail between two rows'
    }
    default:
      return kind === 'copy' || 'only COPY FROM STDIN can fail while data is sent'
  }
}

/** SELECT INTO, and WITH that changes data. In doubt it is taken for one. */
const NO_CURSOR = /\binto\b|^\W*with\b.*\b(?:insert|update|delete|merge)\b/is

const COPY_TAKES_DATA = 'while COPY FROM STDIN takes data the server can not be told anything else'

function takesData({ kind, text }: SqlStatement): boolean {
  return kind === 'copy' && /\bstdin\b/i.test(text)
}

/** Not all statements can be part of a transaction with another: some commit by themselves, before anything follows. */
function togetherWithAnother({ sql }: PostgresEvent): true | string {
  return !sql?.standalone || 'the server runs this statement only by itself'
}

// ---- simple queries ------------------------------------------------------------------------------------------------

export interface SimpleQuery {
  readonly text: string
  readonly encoding: TextEncoding
  /** The statement that is to fail: its number, and where it is in the text. */
  readonly index: number
  readonly from: number
  readonly to: number
  readonly kind: StatementKind | undefined
}

/** @param firing its nonce is a name, its provoked error that of {@link Provoked.prepared} */
export function swapQuery(simple: SimpleQuery, point: FailurePoint, firing: Firing, gates: readonly Gate[]): Swap {
  const { text, encoding, index, from, to } = simple
  const poison = `EXECUTE "${firing.nonce}"`
  const swap = (sql: string, what: Partial<Expected> = {}): Swap => ({
    send: [query(sql, encoding)],
    expect: [special('query', { ...what, firing, gates })],
  })
  const replaced = (sql: string): string => text.slice(0, from) + sql + text.slice(to)
  switch (point.at) {
    case 'instead':
      return swap(replaced(poison))
    case 'after':
      // On a line of its own, as a comment may be at the end.
      return swap(replaced(`${text.slice(from, to)}\n;${poison}`))
    case 'commit':
      if (simple.kind === 'commit') return swap(replaced(`ROLLBACK;${poison}`), { droppedCompletes: [index] })
      return swap(`${text}\n;${poison}`, { errorReplacesComplete: true })
    case 'rows': {
      const select = text.slice(from, to)
      const name = firing.nonce
      const fetch = `DECLARE "${name}" NO SCROLL CURSOR FOR ${select}\n;FETCH FORWARD ${point.rows} FROM "${name}";${poison}`
      return swap(fetch, { droppedCompletes: [0, 1] })
    }
    default: // The statement itself goes on; the client's data are cut off.
      return swap(text)
  }
}

// ---- the extended query protocol -------------------------------------------------------------------------------------

/**
 * @param message the client's Execute
 * @param atSync set if the client's Sync is the moment: what goes before that then
 */
export function swapExecute(
  message: Buffer,
  portal: string,
  kind: StatementKind | undefined,
  point: FailurePoint,
  firing: Firing,
  gates: readonly Gate[],
): Swap & { readonly atSync?: Swap } {
  const poison: Swap = { send: [execute(firing.nonce)], expect: [special('execute', { firing })] }
  switch (point.at) {
    case 'instead':
      return { send: poison.send, expect: [special('execute', { firing, gates })] }
    case 'after':
      return join({ send: [message], expect: [special('execute', { gates })] }, poison)
    case 'commit':
      if (kind === 'commit') return join(runHidden(firing.nonce, 'ROLLBACK'), poison)
      return { send: [message], expect: [special('execute', { gates })], atSync: poison }
    case 'rows': {
      const some = { send: [execute(portal, point.rows)], expect: [special('execute', { dropSuspended: true, gates })] }
      return join(some, poison)
    }
    default: // The statement itself goes on; the client's data are cut off.
      return { send: [message], expect: [special('execute', { firing, gates })] }
  }
}

/** A statement that the client does not see, unless it fails. */
export function runHidden(name: string, sql: string): Swap {
  const what = { hidden: true, passErrors: true }
  return {
    send: [parse(name, sql), bind(name, name), execute(name), closeStatement(name)],
    expect: (['parse', 'bind', 'execute', 'close'] as const).map((asked) => special(asked, what)),
  }
}

/** @param message the client's Parse */
export function swapParse(message: Buffer, firing: Firing): Swap {
  // The unnamed statement is lost also by a Parse that fails, but not by one for a named statement.
  const name = message[HEADER_BYTES] === 0 ? '' : firing.nonce
  // Not a wrong syntax: in a failed transaction the server must get to see that first.
  return { send: [parse(name, `SELECT FROM "${firing.nonce}"`)], expect: [special('parse', { firing })] }
}

export function swapBind(firing: Firing): Swap {
  return { send: [bind('', firing.nonce)], expect: [special('bind', { firing })] }
}

/** @param message the client's Describe */
export function swapDescribe(message: Buffer, firingOf: (provokes: string) => Firing): Swap {
  const ofStatement = message[HEADER_BYTES] === STATEMENT
  const firing = firingOf(ofStatement ? Provoked.prepared : Provoked.cursor)
  const send = [describe(ofStatement ? 'statement' : 'portal', firing.nonce)]
  return { send, expect: [special('describe', { firing })] }
}

export function swapFunctionCall(firing: Firing): Swap {
  return { send: [functionCall(Number(firing.nonce))], expect: [special('function', { firing })] }
}

function join(first: Swap, second: Swap): Swap {
  return { send: [...first.send, ...second.send], expect: [...first.expect, ...second.expect] }
}
