// Which of the relations that a statement names are meant.
import { invalidField } from '../../faults/fault.ts'
import { compilePattern, type Pattern } from '../../pattern.ts'
import type { SqlStatement } from './sql.ts'

/**
 * Names are compared in any case, as few have tables that differ by it alone: people write `Orders` for what Postgres
 * folds to `orders`.
 *
 * @throws FaultlineError `invalid_value` naming the field
 */
export function tableTest(wanted: Pattern | readonly Pattern[], field: string): (sql: SqlStatement) => boolean {
  const tests = [wanted].flat().map((pattern) => oneTable(pattern, field))
  return (sql) => tests.some((test) => test(sql))
}

function oneTable(pattern: Pattern, field: string): (sql: SqlStatement) => boolean {
  if (pattern === '') throw invalidField(field, 'the name of a table', pattern)
  const test = compilePattern(pattern, 'caseless', field)
  const namesIt = (sql: SqlStatement): boolean => sql.tables.some((table) => suffixes(table).some(test))
  const name = plainName(pattern)
  if (name === undefined) return namesIt
  return (sql) => mayName(sql.text, name) && namesIt(sql)
}

/** The name without its schema, in lower case; undefined if the pattern is more than a name. */
function plainName(pattern: Pattern): string | undefined {
  if (typeof pattern !== 'string' || /[*"]|^\/.+\/$/s.test(pattern)) return undefined
  return pattern.slice(pattern.lastIndexOf('.') + 1).toLowerCase()
}

/** Spares the parser the texts that can't name the table. With `U&"…"` a name can be there without its letters. */
function mayName(text: string, name: string): boolean {
  const lowerCase = text.toLowerCase()
  return lowerCase.includes(name) || lowerCase.includes('u&"')
}

/** `shop.public.orders`, `public.orders`, `orders`: each may be what was meant. */
function suffixes(table: string): readonly string[] {
  if (!table.includes('.')) return [table]
  const parts = table.match(/"(?:[^"]|"")*"|[^."]+/g) ?? []
  return parts.map((_, index) => parts.slice(index).join('.'))
}
