// Which connections and statements a match is for, part by part, and what can't work.
import { beforeAll, describe, expect, test } from 'vitest'
import { isFaultlineError } from '../../../../proxy/index.ts'
import {
  compilePostgresMatch,
  postgresMatchSchema,
  type PostgresMatchSpec,
  type StatementCandidate,
} from '../../../../proxy/protocols/postgres/match.ts'
import { loadSqlParser, sqlOf } from '../../../../proxy/protocols/postgres/sql.ts'
import { validate } from '../../../../proxy/validate.ts'

/** As a fault does it: by the schema, then compiled. */
const compile = (spec: unknown) => compilePostgresMatch(validate(postgresMatchSchema, spec, 'match'), 'match')

const candidate = (text: string, more: Partial<StatementCandidate> = {}): StatementCandidate => ({
  sql: sqlOf(text).statements[0],
  prepared: undefined,
  parameters: [],
  inTransaction: false,
  ...more,
})

const matches = (spec: unknown, text: string, more?: Partial<StatementCandidate>): boolean =>
  compile(spec).statement(candidate(text, more))

test('an answer that waits for the parser is not kept', async () => {
  const match = compile({ table: 'waiting' })
  const select = candidate('SELECT * FROM waiting')
  expect(match.statement(select)).toBe(false)
  await loadSqlParser()
  expect(match.statement(select)).toBe(true)
})

describe('with the parser', () => {
  beforeAll(loadSqlParser)

  test('without a match, all is meant', () => {
    const match = compile({})
    expect(match.connection({ user: 'ann', database: 'shop', applicationName: '' })).toBe(true)
    expect(match.statement(candidate('SELECT 1', { sql: undefined }))).toBe(true)
    expect(match.asksStatement).toBe(false)
  })

  test.each<[PostgresMatchSpec, boolean]>([
    [{ user: 'ann' }, true],
    [{ user: 'Ann' }, false],
    [{ user: 'an' }, false],
    [{ database: 'shop_*' }, true],
    [{ database: '/^shop/', user: { glob: 'a*' } }, true],
    [{ database: '/^shop/', user: 'bob' }, false],
    [{ applicationName: 'worker' }, false],
    [{ applicationName: { exact: 'web 1' } }, true],
  ])('of a connection %j: %s', (spec, expected) => {
    const match = compile(spec)
    expect(match.connection({ user: 'ann', database: 'shop_1', applicationName: 'web 1' })).toBe(expected)
    expect(match.statement(candidate('SELECT 1'))).toBe(true)
    expect(match.asksStatement).toBe(false)
  })

  const update = '/* checkout */ UPDATE Public."Orders" SET paid = true WHERE id = $1'

  test.each<[unknown, string, boolean]>([
    [{ query: 'SET paid' }, update, true],
    [{ query: 'set paid' }, update, false],
    [{ query: { regex: 'set PAID', flags: 'i' } }, update, true],
    [{ query: '/^UPDATE/' }, update, false],
    [{ query: 'checkout' }, update, true],
    [{ query: '/id = \\$1$/' }, `${update} ;\n`, true],
    [{ statement: 'update' }, update, true],
    [{ statement: ['insert', 'update'] }, update, true],
    [{ statement: ['insert', 'delete'] }, update, false],
    [{ statement: 'delete' }, 'WITH a AS (SELECT 1) DELETE FROM b', true],
    [{ statement: 'commit' }, 'END', true],
    [{ statement: 'update', query: 'paid', table: 'Orders' }, update, true],
    [{ statement: 'update', query: 'paid', table: 'items' }, update, false],
    [{ table: 'Orders' }, update, true],
    [{ table: 'orders' }, update, true],
    [{ table: 'public.orders' }, update, true],
    [{ table: 'PUBLIC.ORDERS' }, update, true],
    [{ table: 'sales.orders' }, update, false],
    [{ table: 'public' }, update, false],
    [{ table: 'order' }, update, false],
    [{ table: 'order*' }, update, true],
    [{ table: { glob: '*.orders' } }, update, true],
    [{ table: { exact: 'orders' } }, update, true],
    [{ table: '/^pub.*ers$/' }, update, true],
    [{ table: ['items', 'orders'] }, update, true],
    [{ table: ['items', '/^x/'] }, update, false],
    [{ table: 'paid' }, update, false], // a column
    [{ table: 'public.orders' }, 'SELECT * FROM orders', false],
    [{ table: 'orders' }, 'SELECT * FROM ORDERS', true],
    [{ table: 'orders' }, 'SELECT * FROM U&"\\006frders"', true],
    [{ table: 'public.orders' }, 'SELECT * FROM shop.public.orders', true],
    [{ table: 'orders' }, 'SELECT 1 -- orders', false],
    [{ table: 'orders' }, 'WITH orders AS (SELECT 1) SELECT * FROM orders', false],
    [{ table: 'orders' }, 'SELECT * FROM "v1.orders"', false],
    [{ table: '"v1.orders"' }, 'SELECT * FROM "v1.orders"', true],
    [{ table: 'orders' }, 'SELECT * FROM orders WHERE', false], // not understood
    [{ statement: 'select', query: 'orders' }, 'SELECT * FROM orders WHERE', true],
  ])('of a statement %j, %j: %s', (spec, text, expected) => {
    const match = compile(spec)
    expect(match.statement(candidate(text))).toBe(expected)
    expect(match.statement(candidate(text))).toBe(expected) // and once it is known
    expect(match.asksStatement).toBe(true)
    expect(match.statement(candidate(text, { sql: undefined }))).toBe(false)
  })

  test('of several statements, each counts for itself', () => {
    const { statements } = sqlOf('BEGIN; INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)')
    const indexes = (spec: unknown): number[] => {
      const match = compile(spec)
      return [...statements.keys()].filter((index) => match.statement(candidate('', { sql: statements[index] })))
    }
    expect(indexes({ statement: 'insert' })).toEqual([1, 2])
    expect(indexes({ table: 'b' })).toEqual([2])
    expect(indexes({ query: 'INSERT INTO a' })).toEqual([1])
  })

  test('of long texts the first 65,536 characters are looked at', () => {
    const text = `${'SELECT'.padEnd(65_530)}needle`
    expect(matches({ query: 'needle' }, text)).toBe(true)
    expect(matches({ query: 'needle' }, ` ${text}`)).toBe(true) // blanks around it are no part of a statement
    expect(matches({ query: 'needle' }, text.replace(' ', '  '))).toBe(false)
    expect(matches({ statement: 'select' }, text.replace(' ', '  '))).toBe(true)
  })

  test.each<[PostgresMatchSpec, Partial<StatementCandidate>, boolean]>([
    [{ inTransaction: true }, { inTransaction: true }, true],
    [{ inTransaction: true }, {}, false],
    [{ inTransaction: false }, {}, true],
    [{ prepared: 's1' }, { prepared: 's1' }, true],
    [{ prepared: 's*' }, { prepared: 's1' }, true],
    [{ prepared: 's1' }, { prepared: 's2' }, false],
    [{ prepared: '*' }, { prepared: 's1' }, true],
    [{ prepared: '*' }, { prepared: '' }, false],
    [{ prepared: '/.*/' }, {}, false],
    [{ prepared: '' }, { prepared: '' }, true],
    [{ prepared: { exact: '' } }, {}, true],
    [{ prepared: { exact: '' } }, { prepared: 's1' }, false],
  ])('%j of %j: %s', (spec, more, expected) => {
    expect(matches(spec, 'SELECT 1', more)).toBe(expected)
    // Known without the text.
    expect(matches(spec, 'SELECT 1', { ...more, sql: undefined })).toBe(expected)
  })

  test.each<[PostgresMatchSpec['parameters'], readonly (Buffer | null)[], boolean]>([
    [{ 1: '42' }, [Buffer.from('42')], true],
    [{ 1: '42' }, [Buffer.from('420')], false],
    [{ 1: '42' }, [], false],
    [{ 1: '*' }, [null], false],
    [{ 1: '' }, [Buffer.alloc(0)], true],
    [{ 2: 'b*' }, [Buffer.from('a'), Buffer.from('b\u00e9')], true],
    [{ 1: 'a', 2: 'c' }, [Buffer.from('a'), Buffer.from('b')], false],
    [{ 1: '-2' }, [Buffer.from('fffe', 'hex')], true],
    [{ 1: '70000' }, [Buffer.from('00011170', 'hex')], true],
    [{ 1: '-9223372036854775808' }, [Buffer.from('8000000000000000', 'hex')], true],
    [{ 1: '/^1[0-9]{3}$/' }, [Buffer.from('00000539', 'hex')], true],
    [{ 1: 'abcd' }, [Buffer.from('abcd')], true],
    [{ 1: '0b1e5f9a-3c4d-4e6f-8a7b-112233445566' }, [Buffer.from('0b1e5f9a3c4d4e6f8a7b112233445566', 'hex')], true],
    [{ 1: 'x*y' }, [Buffer.from(`x${'-'.repeat(65_534)}yz`)], true], // what comes later is not looked at
  ])('of parameters %j: %#', (parameters, values, expected) => {
    expect(matches({ parameters }, 'SELECT $1', { parameters: values })).toBe(expected)
  })

  test('parts are given by programs as RegExps too', () => {
    const match = compilePostgresMatch(
      { user: /^A/i, query: /from orders/i, table: [/^ord/], prepared: /^s\d$/, parameters: { 1: /^4/ } },
      'match',
    )
    expect(match.connection({ user: 'ann', database: '', applicationName: '' })).toBe(true)
    const more = { prepared: 's1', parameters: [Buffer.from('42')] }
    expect(match.statement(candidate('SELECT * FROM orders', more))).toBe(true)
    expect(match.statement(candidate('SELECT * FROM items', more))).toBe(false)
  })

  test.each<[unknown, string, string]>([
    [{ queries: 'a' }, 'unknown_field', 'match.queries'],
    [{ statement: 'upsert' }, 'invalid_value', 'match.statement'],
    [{ statement: [] }, 'invalid_value', 'match.statement'],
    [{ table: [] }, 'invalid_value', 'match.table'],
    [{ table: '' }, 'invalid_value', 'match.table'],
    [{ table: ['a', '/(/'] }, 'invalid_value', 'match.table'],
    [{ query: '/(/' }, 'invalid_value', 'match.query'],
    [{ query: { regex: 'a', flags: 'x' } }, 'invalid_value', 'match.query'],
    [{ user: 5 }, 'invalid_value', 'match.user'],
    [{ inTransaction: 'yes' }, 'invalid_value', 'match.inTransaction'],
    [{ parameters: { 0: 'a' } }, 'invalid_value', 'match.parameters.0'],
    [{ parameters: { $1: 'a' } }, 'invalid_value', 'match.parameters.$1'],
    [{ parameters: { 65536: 'a' } }, 'invalid_value', 'match.parameters.65536'],
    [{ parameters: { 1: '/(/' } }, 'invalid_value', 'match.parameters.1'],
    [{ parameters: { 1: 42 } }, 'invalid_value', 'match.parameters.1'],
  ])('%j is refused', (spec, code, field) => {
    try {
      compile(spec)
    } catch (error) {
      if (!isFaultlineError(error)) throw error
      expect(error.code).toBe(code)
      expect(error.field).toMatch(new RegExp(`^${field.replaceAll(/[.$]/g, '\\$&')}`))
      expect(error.message).toContain(field)
      return
    }
    expect.fail('not refused')
  })
})
