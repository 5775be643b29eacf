// Which connections and statements a fault is for.
import { Type } from '@sinclair/typebox'
import { invalidField } from '../../faults/fault.ts'
import { compilePattern, patternSchema, type Pattern, type TextTest } from '../../pattern.ts'
import { joinPath } from '../../validate.ts'
import { tableTest } from './sql-table-match.ts'
import { sqlParserReady, statementKinds, type SqlStatement, type StatementKind } from './sql.ts'

const kindSchema = Type.Union(
  statementKinds.map((kind) => Type.Literal(kind)),
  { description: `One of ${statementKinds.join(', ')}.` },
)

/** All parts that are given must hold. */
export const postgresMatchSchema = Type.Object({
  database: Type.Optional(patternSchema),
  user: Type.Optional(patternSchema),
  applicationName: Type.Optional(patternSchema),
  query: Type.Optional(
    Type.Union(patternSchema.anyOf, {
      description: "A part of the statement's text, where * is a star; {exact} or {glob} of all of it; {regex, flags}.",
    }),
  ),
  statement: Type.Optional(Type.Union([kindSchema, Type.Array(kindSchema, { minItems: 1 })])),
  table: Type.Optional(Type.Union([patternSchema, Type.Array(patternSchema, { minItems: 1 })])),
  inTransaction: Type.Optional(
    Type.Boolean({ description: 'Whether a transaction block is open before the statement.' }),
  ),
  prepared: Type.Optional(patternSchema),
  parameters: Type.Optional(
    Type.Record(Type.String(), patternSchema, { description: 'By position: "1" is $1. NULL never matches.' }),
  ),
})

/** As {@link postgresMatchSchema} says; programs may also give a RegExp where it wants a pattern. */
export interface PostgresMatchSpec {
  readonly database?: Pattern
  readonly user?: Pattern
  /** As the client said it at startup: a later SET does not count. */
  readonly applicationName?: Pattern
  /** A part of the statement's text, or a regular expression. Of long texts the first 65,536 characters count. */
  readonly query?: Pattern
  readonly statement?: StatementKind | readonly StatementKind[]
  /**
   * A relation that the statement names anywhere, in any case. `orders` is that in each schema; `public.orders` only
   * where the statement says so. A dot that belongs to a name wants double quotes: `"v1.orders"`.
   */
  readonly table?: Pattern | readonly Pattern[]
  /** Whether a transaction block is open before the statement. */
  readonly inTransaction?: boolean
  /**
   * The name of the protocol's prepared statement. Unnamed ones and simple queries are only matched by an empty text
   * (`''` or `{ exact: '' }`): `*` is any name, and theirs is none.
   */
  readonly prepared?: Pattern
  /**
   * Values of parameters by position: `{ 1: '42' }`. As text, and, as the client may have sent it in binary, also as an
   * integer (2, 4 or 8 bytes, in decimal) or a UUID (16 bytes, in lower case): any of these may match. Of long values
   * the first 65,536 bytes count. NULL never matches.
   */
  readonly parameters?: Readonly<Record<string, Pattern>>
}

/** What is known of a connection from its startup. */
export interface PostgresStartup {
  readonly user: string
  readonly database: string
  readonly applicationName: string
}

/** A statement about to go to the server. */
export interface StatementCandidate {
  /** Undefined if it is not known, as it was too long to keep: then nothing matches that asks about it. */
  readonly sql: SqlStatement | undefined
  /** The name of its prepared statement; empty: unnamed; undefined: a simple query. */
  readonly prepared: string | undefined
  readonly parameters: readonly (Buffer | null)[]
  readonly inTransaction: boolean
}

/** A match that has been compiled. */
export interface PostgresMatch {
  /** What is known from the startup. */
  connection(startup: PostgresStartup): boolean
  /** What is known of one statement. */
  statement(candidate: StatementCandidate): boolean
  /** False if {@link PostgresMatch.statement} is true for each. */
  readonly asksStatement: boolean
  /** The kinds of statements that it can be true for; undefined = all. */
  readonly kinds: ReadonlySet<StatementKind> | undefined
}

/** Texts are tested up to here: a regular expression takes time in proportion to them. */
const MAX_TESTED_CHARACTERS = 65_536

/**
 * @param field the field that holds the match, for messages
 * @throws FaultlineError `invalid_value` naming the field that can't work
 */
export function compilePostgresMatch(spec: PostgresMatchSpec, field: string): PostgresMatch {
  const startupTests = (['database', 'user', 'applicationName'] as const).flatMap((part) => {
    const pattern = spec[part]
    if (pattern === undefined) return []
    const test = compilePattern(pattern, 'text', joinPath(field, part))
    return [(startup: PostgresStartup) => test(startup[part])]
  })
  const statementTests = [...candidateTests(spec, field), ...sqlTests(spec, field)]
  return {
    connection: (startup) => startupTests.every((test) => test(startup)),
    statement: (candidate) => statementTests.every((test) => test(candidate)),
    asksStatement: statementTests.length > 0,
    kinds: spec.statement === undefined ? undefined : new Set([spec.statement].flat()),
  }
}

type CandidateTest = (candidate: StatementCandidate) => boolean

/** What needs no look at the SQL. */
function candidateTests(spec: PostgresMatchSpec, field: string): CandidateTest[] {
  const tests: CandidateTest[] = []
  const { inTransaction, prepared, parameters = {} } = spec
  if (inTransaction !== undefined) tests.push((candidate) => candidate.inTransaction === inTransaction)
  if (prepared !== undefined) tests.push(preparedTest(prepared, joinPath(field, 'prepared')))
  for (const [position, pattern] of Object.entries(parameters)) {
    const name = joinPath(field, 'parameters', position)
    // As many as Bind can count (chapter "Message Formats").
    if (!/^[1-9]\d{0,4}$/.test(position) || Number(position) > 65_535) {
      throw invalidField(name, 'a position from 1 to 65535 as its name', position)
    }
    const test = parameterTest(pattern, name)
    tests.push((candidate) => {
      const value = candidate.parameters[Number(position) - 1]
      return value !== undefined && value !== null && test(value)
    })
  }
  return tests
}

function preparedTest(pattern: Pattern, field: string): CandidateTest {
  const test = compilePattern(pattern, 'text', field)
  const wantsUnnamed = pattern === '' || (typeof pattern === 'object' && 'exact' in pattern && pattern.exact === '')
  return ({ prepared = '' }) => (prepared === '' ? wantsUnnamed : test(prepared))
}

/**
 * What depends on the SQL alone is asked once for each statement, as long as that is in the cache: under load the same
 * few come again and again, and a regular expression costs more than all the rest.
 */
function sqlTests(spec: PostgresMatchSpec, field: string): CandidateTest[] {
  const tests: ((sql: SqlStatement) => boolean)[] = []
  const kinds = spec.statement === undefined ? undefined : new Set([spec.statement].flat())
  if (spec.query !== undefined) {
    const test = beginning(compilePattern(spec.query, 'contains', joinPath(field, 'query')))
    tests.push((sql) => test(sql.text))
  }
  // Last, as it may need the parser.
  if (spec.table !== undefined) tests.push(tableTest(spec.table, joinPath(field, 'table')))
  if (tests.length === 0 && !kinds) return []
  const mayNeedParser = spec.statement !== undefined || spec.table !== undefined
  const known = new WeakMap<SqlStatement, boolean>()
  return [
    ({ sql }) => {
      // Not kept: most statements are of another kind, and many come once only.
      if (sql === undefined || (kinds && !kinds.has(sql.kind))) return false
      if (tests.length === 0) return true
      let matches = known.get(sql)
      if (matches === undefined) {
        matches = tests.every((test) => test(sql))
        if (sqlParserReady() || !mayNeedParser) known.set(sql, matches)
      }
      return matches
    },
  ]
}

function parameterTest(pattern: Pattern, field: string): (value: Buffer) => boolean {
  const test = compilePattern(pattern, 'text', field)
  return (value) => {
    if (test(value.toString('utf8', 0, MAX_TESTED_CHARACTERS))) return true
    const decoded = decodeBinary(value)
    return decoded !== undefined && test(decoded)
  }
}

/** As Postgres would show it as text, by nothing but its length: the format and the type are not always known. */
function decodeBinary(value: Buffer): string | undefined {
  switch (value.length) {
    case 2:
      return String(value.readInt16BE())
    case 4:
      return String(value.readInt32BE())
    case 8:
      return String(value.readBigInt64BE())
    case 16:
      return value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
    default:
      return undefined
  }
}

function beginning(test: TextTest): TextTest {
  return (text) => test(text.length > MAX_TESTED_CHARACTERS ? text.slice(0, MAX_TESTED_CHARACTERS) : text)
}
