// What a text of SQL says: its statements, their kinds, their tables. Lazily, as most are only asked for their kind.
import { TextCache } from './sql-cache.ts'
import { kindByKeyword, startOfKeyword, type StatementKind } from './sql-kind.ts'
import { isTooLong, parseSql, sqlParserReady, type ParsedStatement } from './sql-parser.ts'
import { trimEnd, trimStart } from './sql-scan.ts'

export { statementKinds, type StatementKind } from './sql-kind.ts'
export { loadSqlParser, sqlParserReady } from './sql-parser.ts'

/** A text as one query message or Parse brings it. */
export interface Sql {
  readonly text: string
  /**
   * False if the text is too long (above 64 KiB of UTF-8), too deeply nested or no SQL of Postgres's: then it counts as
   * one statement without tables, of the kind that its first word says. That it is no SQL shows only once the parser
   * has been asked, so look at this last.
   */
  readonly understood: boolean
  /** None if there are only blanks, comments and semicolons. */
  readonly statements: readonly SqlStatement[]
}

/** One statement of a text. The same text gives the same objects, as long as it is in the cache. */
export interface SqlStatement {
  /** Of this statement alone, with its comments, without the blanks around it and the semicolon. */
  readonly text: string
  /**
   * Where it is in the whole text, in UTF-16 units: `text.slice(0, from) + replacement + text.slice(to)` replaces it.
   */
  readonly from: number
  readonly to: number
  readonly kind: StatementKind
  /** Each relation that it names, as in `orders` or `public.orders` if it is qualified. Asks the parser. */
  readonly tables: readonly string[]
  /** Whether it fails with others in one text or in a transaction block, as VACUUM does. May ask the parser. */
  readonly standalone: boolean
}

const MAX_CACHED_TEXTS = 2000
const MAX_CACHED_CHARACTERS = 4 * 1024 * 1024

const cache = new TextCache<Sql>(MAX_CACHED_TEXTS, MAX_CACHED_CHARACTERS)

/**
 * Reads a text. Never fails; what needs the parser before {@link loadSqlParser} has done its work is answered as if the
 * text were not understood, and better when asked again later.
 */
export function sqlOf(text: string): Sql {
  let sql = cache.get(text)
  if (sql === undefined) {
    sql = new SqlText(text)
    if (!isTooLong(text)) cache.set(text, sql)
  }
  return sql
}

class SqlText implements Sql {
  readonly text: string
  #statements: readonly SqlStatement[] | undefined
  #parsed: readonly ParsedStatement[] | undefined
  #isUnparsable = false

  constructor(text: string) {
    this.text = text
  }

  get understood(): boolean {
    if (isTooLong(this.text)) return false
    // Before the parser could be asked, only what it has nothing to say about is understood.
    return !this.#isUnparsable && (this.#statements !== undefined || this.#read() !== undefined)
  }

  get statements(): readonly SqlStatement[] {
    this.#statements ??= this.#read()
    return this.#statements ?? [new OneStatement(this, trimStart(this.text, 0, this.text.length), this.#end, 0)]
  }

  /** Undefined if it can't be parsed, or not yet. */
  parsed(): readonly ParsedStatement[] | undefined {
    if (this.#parsed === undefined && !this.#isUnparsable && sqlParserReady()) {
      this.#parsed = parseSql(this.text)
      this.#isUnparsable = this.#parsed === undefined
    }
    return this.#parsed
  }

  get #end(): number {
    return trimEnd(this.text, 0, this.text.length)
  }

  #read(): readonly SqlStatement[] | undefined {
    const { text } = this
    const keyword = startOfKeyword(text, 0)
    if (keyword >= text.length) return []
    const end = this.#end
    // A semicolon within a string, or before a comment, is for the parser to see.
    const semicolon = text.indexOf(';', keyword)
    if (semicolon < 0 || semicolon === end - 1) {
      const to = semicolon < 0 ? end : trimEnd(text, 0, semicolon)
      return keyword >= to ? [] : [new OneStatement(this, trimStart(text, 0, to), to, 0)]
    }
    return this.parsed()?.map(({ from, to }, index) => new OneStatement(this, from, to, index))
  }
}

class OneStatement implements SqlStatement {
  readonly from: number
  readonly to: number
  readonly #sql: SqlText
  readonly #index: number
  #text: string | undefined
  #kind: StatementKind | undefined

  constructor(sql: SqlText, from: number, to: number, index: number) {
    this.#sql = sql
    this.from = from
    this.to = to
    this.#index = index
  }

  get text(): string {
    this.#text ??= this.#sql.text.slice(this.from, this.to)
    return this.#text
  }

  get kind(): StatementKind {
    this.#kind ??= kindByKeyword(this.#sql.text, startOfKeyword(this.#sql.text, this.from)) ?? this.#parsed()?.kind
    return this.#kind ?? 'other'
  }

  get tables(): readonly string[] {
    return this.#parsed()?.tables ?? []
  }

  get standalone(): boolean {
    switch (this.kind) {
      case 'vacuum':
        return true
      case 'ddl':
      case 'discard':
      case 'other':
        return this.#parsed()?.standalone ?? false
      default:
        return false
    }
  }

  #parsed(): ParsedStatement | undefined {
    return this.#sql.parsed()?.[this.#index]
  }
}
