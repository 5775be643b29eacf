// Postgres's own parser, as WebAssembly: loaded when first needed, asked only what it can't break on.
import type * as LibPgQuery from 'libpg-query'
import { isShallow } from './sql-depth.ts'
import type { StatementKind } from './sql-kind.ts'
import { skipBlanks, trimEnd, trimStart } from './sql-scan.ts'
import { isStandalone } from './sql-standalone.ts'
import { tablesOf } from './sql-tables.ts'

/** What is kept of the parser's tree, which is some fifty times as large as the text. */
export interface ParsedStatement {
  /** Offsets into the text, in UTF-16 units. */
  readonly from: number
  readonly to: number
  /** Of a statement whose first word doesn't tell. */
  readonly kind: StatementKind
  readonly tables: readonly string[]
  readonly standalone: boolean
}

/** Longer texts are not parsed: 64 KiB of UTF-8. */
export const MAX_SQL_BYTES = 65_536

let parser: typeof LibPgQuery | undefined
let loading: Promise<void> | undefined
/** No longer so once the parser has failed on anything but an error in a text: its memory may be spoilt. */
let isSound = true

/** Loads the parser, once: 2 MB from the disk, some 20 ms. */
export function loadSqlParser(): Promise<void> {
  loading ??= load()
  return loading
}

/** Whether texts can be parsed: after {@link loadSqlParser}. */
export function sqlParserReady(): boolean {
  return parser !== undefined
}

async function load(): Promise<void> {
  try {
    const module = await import('libpg-query')
    await module.loadModule()
    parser = module
  } catch (error) {
    loading = undefined
    throw error
  }
}

export function isTooLong(text: string): boolean {
  // At most 3 bytes for each UTF-16 unit.
  if (text.length * 3 <= MAX_SQL_BYTES) return false
  return text.length > MAX_SQL_BYTES || Buffer.byteLength(text) > MAX_SQL_BYTES
}

/** The text's statements; undefined if it can't be parsed. The parser must be ready. */
export function parseSql(text: string): readonly ParsedStatement[] | undefined {
  // Postgres's own texts end at a zero.
  if (parser === undefined || !isSound || isTooLong(text) || text.includes('\0') || !isShallow(text)) return undefined
  if (text === '') return []
  try {
    return statementsOf(text, parser.parseSync(text).stmts ?? [])
  } catch (error) {
    // Then it is not asked again: wrong answers would be worse than none.
    isSound &&= error instanceof parser.SqlError
    return undefined
  }
}

/** Locations are in bytes of UTF-8; a statement without a location begins the text, without a length ends it. */
interface RawStatement {
  readonly stmt?: object
  readonly stmt_location?: number
  readonly stmt_len?: number
}

function statementsOf(text: string, raw: readonly RawStatement[]): ParsedStatement[] {
  const offsetOf = offsets(text)
  let end = 0
  return raw.map(({ stmt = {}, stmt_location: location = 0, stmt_len: length }) => {
    const from = startOfStatement(text, end, offsetOf(location))
    end = length === undefined || length === 0 ? text.length : offsetOf(location + length)
    const [type, statement] = Object.entries(stmt)[0] ?? ['', {}]
    return {
      from,
      to: trimEnd(text, from, end),
      kind: KIND_OF_NODE[type] ?? 'other',
      tables: tablesOf(stmt as Readonly<Record<string, unknown>>),
      standalone: isStandalone(type, statement),
    }
  })
}

/** The nodes that may begin with WITH. */
const KIND_OF_NODE: Readonly<Record<string, StatementKind>> = {
  SelectStmt: 'select',
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
}

/** The comments before a statement belong to it: people match on them. Empty statements before it do not. */
function startOfStatement(text: string, from: number, firstToken: number): number {
  let start = from
  for (let at = skipBlanks(text, from); at < firstToken && text[at] === ';'; at = skipBlanks(text, at + 1)) {
    start = at + 1
  }
  return trimStart(text, start, firstToken)
}

/** From bytes of UTF-8 to UTF-16 units; to be asked in ascending order. */
function offsets(text: string): (bytes: number) => number {
  if (Buffer.byteLength(text) === text.length) return (bytes) => bytes
  let at = 0
  let seen = 0
  return (bytes) => {
    while (seen < bytes && at < text.length) {
      const code = text.codePointAt(at) ?? 0
      at += code > 0xffff ? 2 : 1
      if (code > 0xffff) seen += 4
      else if (code > 0x7ff) seen += 3
      else seen += code > 0x7f ? 2 : 1
    }
    return at
  }
}
