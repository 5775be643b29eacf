import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { quickKind } from '../../../../proxy/protocols/postgres/quick-kind.ts'
import { loadSqlParser, sqlOf } from '../../../../proxy/protocols/postgres/sql.ts'
import { query } from '../../../../proxy/protocols/postgres/wire.ts'

beforeAll(loadSqlParser)

test.each([
  ['SELECT 1', 'select'],
  ['select\n1;', 'select'],
  ['Insert into t values (1); \t\r\n', 'insert'],
  ['UPDATE t SET a = 1', 'update'],
  ['delete from t', 'delete'],
])('%j is told at once', (sql, kind) => {
  expect(quickKind(query(sql))).toBe(kind)
})

test.each([
  '',
  ';',
  'select(1)',
  'selection',
  ' select 1',
  '-- a comment\nselect 1',
  'select 1; select 2',
  "select ';'",
  'select 1;;',
  'begin',
  'with x as (select 1) insert into t select * from x',
])('%j takes a closer look', (sql) => {
  expect(quickKind(query(sql))).toBeUndefined()
})

test('never says anything else than the closer look does', () => {
  const words = [
    'select',
    'INSERT',
    'update',
    'delete',
    'begin',
    'commit',
    ';',
    ' ',
    '\n',
    '--',
    '/*',
    '*/',
    "'",
    '1',
    'x',
    '$$',
  ]
  const text = fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, (sql) => {
      const kind = quickKind(query(sql))
      if (kind === undefined) return
      expect(sqlOf(sql).statements.map((statement) => statement.kind)).toEqual([kind])
    }),
    { numRuns: 5000 },
  )
})
