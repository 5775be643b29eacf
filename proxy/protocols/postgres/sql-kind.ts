// What a statement does, told by the words it begins with: for every statement of a busy database, so without a parser.
import { endOfWord, skipBlanks } from './sql-scan.ts'

/** Kinds of statements, by the names that people know them by. */
export const statementKinds = [
  'select',
  'insert',
  'update',
  'delete',
  'merge',
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'ddl',
  'truncate',
  'copy',
  'call',
  'do',
  'explain',
  'prepare',
  'execute',
  'deallocate',
  'declare',
  'fetch',
  'close',
  'set',
  'show',
  'discard',
  'listen',
  'notify',
  'unlisten',
  'lock',
  'vacuum',
  'analyze',
  'other',
] as const

/**
 * - `select`: also VALUES, TABLE and SELECT INTO.
 * - `begin`: also START TRANSACTION. `commit`: also END. `rollback`: also ABORT.
 * - `savepoint`: also RELEASE and ROLLBACK TO.
 * - `ddl`: CREATE (also CREATE TABLE AS), ALTER, DROP, COMMENT, GRANT, REVOKE, REASSIGN, SECURITY LABEL, IMPORT,
 *   REFRESH, REINDEX, CLUSTER.
 * - `fetch`: also MOVE. `set`: also RESET. `explain`: also EXPLAIN ANALYZE, which runs the statement.
 * - `other`: also PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED.
 *
 * What begins with WITH is of the kind of the statement after it.
 */
export type StatementKind = (typeof statementKinds)[number]

const SYNONYMS: Readonly<Partial<Record<StatementKind, readonly string[]>>> = {
  select: ['values', 'table'],
  begin: ['start'],
  commit: ['end'],
  rollback: ['abort'],
  savepoint: ['release'],
  ddl: 'create alter drop comment grant revoke reassign security import refresh reindex cluster'.split(' '),
  fetch: ['move'],
  set: ['reset'],
  analyze: ['analyse'],
}

const KIND_OF_WORD: ReadonlyMap<string, StatementKind> = new Map(
  statementKinds
    .filter((kind) => kind !== 'other' && kind !== 'ddl')
    .map((kind): [string, StatementKind] => [kind, kind])
    .concat(
      Object.entries(SYNONYMS).flatMap(([kind, words]) =>
        words.map((word): [string, StatementKind] => [word, kind as StatementKind]),
      ),
    ),
)

const OPENING_PARENTHESIS = 0x28

/** Where the first word begins, after blanks, comments and opening parentheses; the text's end if there is none. */
export function startOfKeyword(text: string, at: number): number {
  for (;;) {
    at = skipBlanks(text, at)
    if (text.charCodeAt(at) !== OPENING_PARENTHESIS) return at
    at++
  }
}

/**
 * The kind of the statement whose first word is at `at`; undefined for WITH, which only a parser can see through. Words
 * that begin no statement of Postgres are `other`.
 */
export function kindByKeyword(text: string, at: number): StatementKind | undefined {
  const end = endOfWord(text, at)
  const word = text.slice(at, end).toLowerCase()
  const kind = KIND_OF_WORD.get(word)
  if (kind === undefined) return word === 'with' ? undefined : 'other'
  if (kind === 'commit') return wordAt(text, skipBlanks(text, end)) === 'prepared' ? 'other' : kind
  if (kind === 'rollback') return rollbackKind(text, end)
  return kind === 'prepare' ? prepareKind(text, end) : kind
}

function rollbackKind(text: string, at: number): StatementKind {
  at = skipBlanks(text, at)
  let word = wordAt(text, at)
  if (word === 'prepared') return 'other'
  if (word === 'work' || word === 'transaction') word = wordAt(text, skipBlanks(text, at + word.length))
  return word === 'to' ? 'savepoint' : 'rollback'
}

/** A prepared statement may well be named `transaction`. */
function prepareKind(text: string, at: number): StatementKind {
  at = skipBlanks(text, at)
  if (wordAt(text, at) !== 'transaction') return 'prepare'
  at = skipBlanks(text, at + 'transaction'.length)
  return text.charCodeAt(at) === OPENING_PARENTHESIS || wordAt(text, at) === 'as' ? 'prepare' : 'other'
}

function wordAt(text: string, at: number): string {
  return text.slice(at, endOfWord(text, at)).toLowerCase()
}
