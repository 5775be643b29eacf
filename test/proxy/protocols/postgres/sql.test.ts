// What texts of SQL say: statements, kinds, tables; and that nothing a client sends makes the reading fail.
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { Network } from '../../../../proxy/index.ts'
import { TextCache } from '../../../../proxy/protocols/postgres/sql-cache.ts'
import { loadSqlParser, sqlOf, sqlParserReady, type StatementKind } from '../../../../proxy/protocols/postgres/sql.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const LONG = process.env['FAULTLINE_LONG'] ? 10 : 1

const kinds = (text: string): readonly StatementKind[] => sqlOf(text).statements.map(({ kind }) => kind)
const texts = (text: string): readonly string[] => sqlOf(text).statements.map((statement) => statement.text)
const tables = (text: string): readonly string[] =>
  sqlOf(text)
    .statements.flatMap((statement) => statement.tables)
    .toSorted()

test('without the parser, kinds are told by keywords, and later the same text is answered in full', async () => {
  // Nothing that the package exports loads the parser: it is 2 MB of WebAssembly.
  expect([typeof Network, sqlParserReady()]).toEqual(['function', false])
  expect(kinds('/* early */ UPDATE early SET a = 1')).toEqual(['update'])
  const several = 'INSERT INTO early VALUES (1); COMMIT'
  expect(sqlOf(several).understood).toBe(false)
  expect(texts(several)).toEqual([several])
  expect(kinds(several)).toEqual(['insert'])
  expect(kinds('WITH x AS (SELECT 1) DELETE FROM early')).toEqual(['other'])
  expect(tables('SELECT * FROM early')).toEqual([])

  await Promise.all([loadSqlParser(), loadSqlParser()])
  expect(sqlParserReady()).toBe(true)
  expect(sqlOf(several).understood).toBe(true)
  expect(kinds(several)).toEqual(['insert', 'commit'])
  expect(kinds('WITH x AS (SELECT 1) DELETE FROM early')).toEqual(['delete'])
  expect(tables('SELECT * FROM early')).toEqual(['early'])
})

describe('with the parser', () => {
  beforeAll(loadSqlParser)

  test.each<[string, StatementKind]>([
    ['select 1', 'select'],
    [' \t\r\n\f-- a;b\n/* /* nested; */ */ SELECT 1', 'select'],
    ['((SELECT 1)) UNION SELECT 2', 'select'],
    ['VALUES (1)', 'select'],
    ['TABLE orders', 'select'],
    ['SELECT 1 INTO copied', 'select'],
    ['WITH a AS (SELECT 1) SELECT * FROM a', 'select'],
    ['(WITH a AS (SELECT 1) SELECT * FROM a)', 'select'],
    ['WITH a AS (DELETE FROM b RETURNING *) INSERT INTO c SELECT * FROM a', 'insert'],
    ['WITH a AS (SELECT 1) UPDATE b SET c = 1', 'update'],
    ['WITH a AS (SELECT 1) MERGE INTO b USING a ON true WHEN MATCHED THEN DELETE', 'merge'],
    ['INSERT INTO a VALUES (1)', 'insert'],
    ['begin', 'begin'],
    ['START TRANSACTION READ ONLY', 'begin'],
    ['COMMIT', 'commit'],
    ['COMMIT AND CHAIN', 'commit'],
    ['END WORK', 'commit'],
    ["COMMIT PREPARED 'a'", 'other'],
    ['ROLLBACK', 'rollback'],
    ['ABORT TRANSACTION AND NO CHAIN', 'rollback'],
    ['ROLLBACK TO a', 'savepoint'],
    ['ROLLBACK /* b */ WORK TO SAVEPOINT a', 'savepoint'],
    ["ROLLBACK PREPARED 'a'", 'other'],
    ['SAVEPOINT a', 'savepoint'],
    ['RELEASE a', 'savepoint'],
    ["PREPARE TRANSACTION 'a'", 'other'],
    ['PREPARE a AS SELECT 1', 'prepare'],
    ['PREPARE transaction AS SELECT 1', 'prepare'],
    ['PREPARE transaction (int) AS SELECT 1', 'prepare'],
    ['CREATE TABLE a AS SELECT 1', 'ddl'],
    ['GRANT SELECT ON a TO b', 'ddl'],
    ['REFRESH MATERIALIZED VIEW a', 'ddl'],
    ['TRUNCATE a', 'truncate'],
    ['EXPLAIN ANALYZE DELETE FROM a', 'explain'],
    ['RESET ALL', 'set'],
    ['MOVE 5 FROM a', 'fetch'],
    ['ANALYSE a', 'analyze'],
    ['DO $$ BEGIN NULL; END $$', 'do'],
    ['selection', 'other'],
    ['s\u00e9lect 1', 'other'],
    ['\u00a0select 1', 'other'], // a letter to Postgres
  ])('%j is %s', (text, kind) => {
    expect(kinds(text)).toEqual([kind])
    expect(kinds(`${text} ;\n`)).toEqual([kind])
    // Among others only the parser can find it.
    if (!['selection', 's\u00e9lect 1', '\u00a0select 1'].includes(text)) {
      expect(kinds(`BEGIN; ${text}; COMMIT`)).toEqual(['begin', kind, 'commit'])
    }
  })

  test.each<[string, readonly string[]]>([
    ['', []],
    [' ; ;; -- nothing\n;', []],
    ['/* open', []],
    ['SELECT 1', ['SELECT 1']],
    ['\n  SELECT 1 ;\n', ['SELECT 1']],
    ["SELECT ';' ; SELECT e'\\';'", ["SELECT ';'", "SELECT e'\\';'"]],
    ["SELECT ';-- ' || 'b'", ["SELECT ';-- ' || 'b'"]],
    ["SELECT 'a;", ["SELECT 'a"]], // the server refuses it, whatever we say
    ['SELECT 1 -- a;', ['SELECT 1 -- a']],
    ['SELECT 1; -- the end', ['SELECT 1']],
    ['SELECT $a$ ; $a$; SELECT ";"', ['SELECT $a$ ; $a$', 'SELECT ";"']],
    ['; ;SELECT 1;; /* two; */ SELECT 2 ;', ['SELECT 1', '/* two; */ SELECT 2']],
    [
      "SELECT '\u00e9\u20ac\u{1f600}' ;SELECT '\u{1f600}'; SELECT 3",
      ["SELECT '\u00e9\u20ac\u{1f600}'", "SELECT '\u{1f600}'", 'SELECT 3'],
    ],
    [
      'CREATE RULE r AS ON UPDATE TO a DO (SELECT 1; SELECT 2); SELECT 3',
      ['CREATE RULE r AS ON UPDATE TO a DO (SELECT 1; SELECT 2)', 'SELECT 3'],
    ],
    [
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3',
      ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END', 'SELECT 3'],
    ],
  ])('%j has the statements %j', (text, expected) => {
    expect(texts(text)).toEqual(expected)
    for (const { text: part, from, to } of sqlOf(text).statements) expect(text.slice(from, to)).toBe(part)
  })

  test.each<[string, readonly string[]]>([
    [
      'SELECT * FROM orders o JOIN public.items i USING (id), LATERAL (SELECT 1 FROM x) y',
      ['orders', 'public.items', 'x'],
    ],
    ['SELECT (SELECT max(a) FROM b) FROM c WHERE EXISTS (TABLE d)', ['b', 'c', 'd']],
    ['SELECT * FROM Orders, "Orders", "a.b", "a""b"."C"', ['"a""b".C', '"a.b"', 'Orders', 'orders']],
    ['SELECT * FROM shop.public.orders', ['shop.public.orders']],
    ['SELECT * FROM U&"\\006frders"', ['orders']],
    ['SELECT * FROM orders o FOR UPDATE OF o', ['orders']],
    ['SELECT * FROM generate_series(1, 2) g', []],
    // Names of WITH are no tables where they can be seen, and only there.
    ['WITH a AS (SELECT * FROM b) SELECT * FROM a JOIN c ON true', ['b', 'c']],
    ['WITH a AS (SELECT * FROM a) SELECT * FROM a', ['a']],
    ['WITH RECURSIVE a AS (SELECT 1 UNION SELECT * FROM a) SELECT * FROM a', []],
    ['WITH a AS (SELECT 1), b AS (SELECT * FROM a, c), c AS (SELECT 1) SELECT * FROM b, c', ['c']],
    ['WITH RECURSIVE b AS (SELECT * FROM c), c AS (SELECT 1) SELECT * FROM b', []],
    ['WITH a AS (SELECT 1) SELECT * FROM public.a', ['public.a']],
    ['SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a) b, a', ['a']],
    ['WITH a AS (SELECT 1) SELECT * FROM (SELECT * FROM a) b', []],
    ['WITH a AS (SELECT 1) INSERT INTO a SELECT * FROM a', ['a']],
    ['WITH a AS (DELETE FROM b USING c RETURNING *) UPDATE d SET e = 1 FROM a', ['b', 'c', 'd']],
    ['MERGE INTO a USING b ON true WHEN MATCHED THEN UPDATE SET c = (SELECT 1 FROM d)', ['a', 'b', 'd']],
    [
      'INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET b = (SELECT 1 FROM c) RETURNING (SELECT 1 FROM d)',
      ['a', 'c', 'd'],
    ],
    ['EXPLAIN SELECT * FROM a', ['a']],
    ['PREPARE p AS SELECT * FROM a', ['a']],
    ['DECLARE c CURSOR FOR SELECT * FROM a', ['a']],
    ['COPY a FROM STDIN', ['a']],
    ['COPY (SELECT * FROM a) TO STDOUT', ['a']],
    ['TRUNCATE a, ONLY b.c', ['a', 'b.c']],
    ['LOCK TABLE a', ['a']],
    ['VACUUM a, b', ['a', 'b']],
    ['CREATE TABLE a (b int REFERENCES c, LIKE d) INHERITS (e)', ['a', 'c', 'd', 'e']],
    ['CREATE TABLE a PARTITION OF b DEFAULT', ['a', 'b']],
    ['CREATE TABLE a AS SELECT * FROM b', ['a', 'b']],
    ['SELECT 1 INTO a FROM b', ['a', 'b']],
    ['CREATE VIEW a AS SELECT * FROM b', ['a', 'b']],
    ['CREATE INDEX i ON a (b)', ['a']],
    ['CREATE TRIGGER t AFTER INSERT ON a EXECUTE FUNCTION f()', ['a']],
    ['ALTER TABLE a ATTACH PARTITION b DEFAULT', ['a', 'b']],
    ['ALTER TABLE a RENAME TO b', ['a']],
    ['DROP TABLE a, b.c', ['a', 'b.c']],
    ['DROP VIEW a', ['a']],
    ['DROP TRIGGER t ON a.b', ['a.b']],
    ['DROP FUNCTION a', []],
    ["COMMENT ON TABLE a IS 'b'", ['a']],
    ["COMMENT ON COLUMN a.b.c IS 'd'", ['a.b']],
    ['GRANT SELECT ON a.b TO c', ['a.b']],
    ['CREATE TYPE a AS (b int)', []],
    ['SHOW a', []],
  ])('%j names %j', (text, expected) => {
    expect(tables(text)).toEqual(expected)
    expect(tables(`${text};`)).toEqual(expected)
  })

  test('each statement of a text has its own tables', () => {
    const found = sqlOf('BEGIN; UPDATE a SET b = 1; SELECT * FROM c').statements.map((statement) => statement.tables)
    expect(found).toEqual([[], ['a'], ['c']])
  })

  test.each(['SELECT FROM WHERE', "SELECT 'a; SELECT 2", 'SELECT 1; nonsense', 'SELECT 1\0; SELECT 2', 'SELECT )'])(
    '%j is one statement without tables that is not understood',
    (text) => {
      expect(texts(text)).toEqual([text])
      expect(kinds(text)).toEqual(['select'])
      expect(tables(text)).toEqual([])
      expect(sqlOf(text).understood).toBe(false)
    },
  )

  test('64 KiB of UTF-8 are understood, and a byte more is not', () => {
    const longest = `SELECT 1; SELECT '${'\u20ac'.repeat((65_536 - 18 - 1) / 3)}'`
    expect(Buffer.byteLength(longest)).toBe(65_536)
    expect(kinds(longest)).toEqual(['select', 'select'])
    expect(sqlOf(longest).understood).toBe(true)
    const longer = `${longest} `
    expect(kinds(longer)).toEqual(['select'])
    expect(sqlOf(longer)).toMatchObject({
      understood: false,
      statements: [{ from: 0, to: longest.length, tables: [] }],
    })
    expect(sqlOf(`INSERT INTO a VALUES ('${'b'.repeat(70_000)}')`).statements[0]).toMatchObject({
      kind: 'insert',
      tables: [],
    })
  })

  test('usual long texts are not taken for deeply nested ones', () => {
    const row = "(1, 'it''s', now() + interval '1 day', (SELECT max(b) FROM c))"
    const values = `INSERT INTO a VALUES ${Array.from({ length: 500 }, () => row).join(', ')}`
    expect(tables(values)).toEqual(['a', 'c'])
    const cases = `UPDATE a SET b = CASE id ${'WHEN 1 THEN 2 + 3 '.repeat(1000)}END WHERE c IN (${'1, '.repeat(1000)}1)`
    expect(tables(cases)).toEqual(['a'])
    const either = `SELECT * FROM a WHERE ${'(b = 1 AND c = 2) OR '.repeat(1000)} d`
    expect(tables(either)).toEqual(['a'])
    const json = `INSERT INTO a VALUES ('${'([{"b": ['.repeat(1000)}')`
    expect(tables(json)).toEqual(['a'])
    const union = Array.from({ length: 100 }, () => 'SELECT b AS case, c FROM a').join(' UNION ALL ')
    expect(tables(union)).toEqual(['a'])
  })

  // What ends the parser's stack costs it memory for good: without the guard it answers nothing after some thirty.
  test.each([
    ['SELECT ', '(SELECT ', '1', ')', 1900],
    ['SELECT ', '(SELECT ', '1', ')', 3200],
    ['SELECT ', '(', '1', ')', 10_000],
    ['SELECT ', '+-', '1', '', 4900],
    ['SELECT ', '1+', '1', '', 30_000],
    ['SELECT ', 'not ', 'true', '', 9900],
    ['SELECT ', 'a[', '1', ']', 4900],
    ['SELECT array', '[', '1', ']', 9900],
    ['SELECT ', 'f(1, ', '1', ')', 4900],
    ['SELECT ', 'CASE WHEN 1 AND ', '1', ' THEN 1 END', 1900],
    ['SELECT ', 'CASE WHEN a.end AND ', '1', ' THEN 1 WHEN 1 THEN 1 END', 1400],
    ['SELECT ', 'exists(SELECT a.end AND ', '1', ')', 1900],
    ['SELECT ', '(SELECT 1 AS end, ', '1', ')', 1900],
    ['SELECT ', '(', '1', '+1+1+1+1)', 4000],
    ['SELECT * FROM a', '', '', ' JOIN b ON true AND 1', 3000],
    ['', 'SELECT 1, 1 UNION ', 'SELECT 1', '', 3500],
    ['', '/*', '', '*/', 10_000],
  ])('%j with %j nested deeply leaves the parser usable', (first, before, middle, after, times) => {
    for (let round = 0; round < 60; round++) {
      const text = `${first}${before.repeat(times)}${middle}${after.repeat(times)} ; SELECT ${round}`
      expect(text.length).toBeLessThan(65_536)
      expect(sqlOf(text).understood).toBe(false)
      expect(tables(`SELECT * FROM a${round} WHERE b = ${times}`)).toEqual([`a${round}`])
    }
  })

  test('the same text gives the same objects', () => {
    const text = 'SELECT 1 FROM same'
    expect(sqlOf(`${text} `.trimEnd()).statements[0]).toBe(sqlOf(text).statements[0])
  })

  test('nothing makes the reading fail, and spans are those of the texts', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'select',
        'WITH',
        'a',
        '"',
        "'",
        ';',
        '--',
        '/*',
        '*/',
        '\n',
        ' ',
        '(',
        ')',
        '$$',
        '$a$',
        "e'",
        '\\',
      ),
      fc.constantFrom(
        'commit',
        'rollback',
        'to',
        'prepare',
        'transaction',
        'end',
        'case',
        ',',
        '.',
        '\0',
        '\ud800',
        'U&"',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    )
    const text = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(text, (sql) => {
        const { statements, understood } = sqlOf(sql)
        expect(understood).toBeTypeOf('boolean')
        let end = 0
        for (const statement of statements) {
          expect(statement.from).toBeGreaterThanOrEqual(end)
          expect(statement.to).toBeGreaterThan(statement.from)
          end = statement.to
          expect(statement.text).toBe(sql.slice(statement.from, statement.to))
          expect([statement.kind, statement.tables, statement.standalone]).not.toContain(undefined)
        }
        expect(end).toBeLessThanOrEqual(sql.length)
      }),
      { numRuns: 1000 * LONG },
    )
    expect(tables('SELECT * FROM afterwards')).toEqual(['afterwards'])
  })

  test('replacing any statement of a text leaves the others as they were', () => {
    const blank = fc.constantFrom('', ' ', '\n\t', '-- \u20ac; comment\n', '/* ; /* \u{1f600} */ */', ' ;', ';; ')
    const statement = fc.constantFrom(
      "SELECT ';', '\u{1f600}'",
      'INSERT INTO a VALUES ($$;\u00e9$$)',
      'WITH b AS (SELECT 1) DELETE FROM a',
      'COMMIT',
      'UPDATE "a;" SET b = 1 -- \u20ac;\n',
      'CREATE RULE r AS ON UPDATE TO a DO (SELECT 1; SELECT 2)',
    )
    const part = fc.tuple(blank, blank, statement, blank).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), fc.nat(), (parts, choice) => {
        const text = parts.join(';')
        const { statements, understood } = sqlOf(text)
        expect(understood).toBe(true)
        expect(statements).toHaveLength(parts.length)
        const chosen = choice % parts.length
        const { from, to } = statements[chosen]!
        const replaced = sqlOf(`${text.slice(0, from)}EXECUTE x${text.slice(to)}`).statements
        const wanted = statements.map(({ text }, index) => (index === chosen ? 'EXECUTE x' : text))
        expect(replaced.map(({ text }) => text)).toEqual(wanted)
      }),
      { numRuns: 200 * LONG },
    )
  })

  describe('against a server', () => {
    const server = postgresForTests()

    beforeAll(async () => {
      await server().query(`
        CREATE TABLE plain (a int PRIMARY KEY); CREATE INDEX plain_a ON plain (a); CLUSTER plain USING plain_a;
        CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE part PARTITION OF parts FOR VALUES IN (1);
        CREATE MATERIALIZED VIEW seen AS SELECT 1 AS a; CREATE UNIQUE INDEX ON seen (a); CREATE TYPE mood AS ENUM ('a');
      `)
    })

    const STANDALONE = `
      VACUUM; VACUUM (ANALYZE) plain; CREATE DATABASE d; DROP DATABASE d; ALTER SYSTEM SET work_mem = 64;
      ALTER DATABASE template1 SET TABLESPACE pg_default; CREATE TABLESPACE t LOCATION '/nowhere'; DROP TABLESPACE t;
      CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p; COMMIT PREPARED 'x'; ROLLBACK PREPARED 'x'; DISCARD ALL;
      CREATE INDEX CONCURRENTLY ON plain (a); DROP INDEX CONCURRENTLY plain_a; REINDEX TABLE CONCURRENTLY plain;
      REINDEX (CONCURRENTLY) INDEX plain_a; REINDEX SCHEMA public; REINDEX DATABASE postgres; REINDEX SYSTEM; CLUSTER;
      ALTER TABLE parts DETACH PARTITION part CONCURRENTLY`
    const MUCH_LIKE_THEM = `
      ANALYZE plain; CLUSTER plain; REINDEX TABLE plain; CREATE INDEX ON plain (a); DROP INDEX plain_a; DISCARD PLANS;
      REFRESH MATERIALIZED VIEW CONCURRENTLY seen; ALTER TYPE mood ADD VALUE 'b'; TRUNCATE plain;
      ALTER DATABASE template1 CONNECTION LIMIT 5; ALTER TABLE parts DETACH PARTITION part`

    // The server says 25001, active_sql_transaction, for those that can't run with others.
    test.each(`${STANDALONE};${MUCH_LIKE_THEM}`.split(';').map((text) => text.trim()))(
      '%j: whether it stands alone is as the server says',
      async (text) => {
        const client = await server().connect()
        try {
          const failure: { code?: string } = await client
            .query(`SELECT 1; ${text}; SELECT 1 / 0`)
            .catch((error) => error)
          expect(['25001', '22012']).toContain(failure.code) // it, or the division after it
          expect(sqlOf(text).statements[0]!.standalone).toBe(failure.code === '25001')
          expect(sqlOf(`SELECT 1; ${text}`).statements[1]!.standalone).toBe(failure.code === '25001')
        } finally {
          await client.end()
        }
      },
    )
  })
})

test('the cache keeps what is used, within its bounds', () => {
  const cache = new TextCache<number>(10, 1000)
  cache.set('used', -1)
  for (let index = 0; index < 100; index++) {
    cache.set(`text ${index}`, index)
    expect(cache.get('used')).toBe(-1)
    expect(cache.entries).toBeLessThanOrEqual(10)
  }
  expect(cache.get('text 99')).toBe(99)
  expect(cache.get('text 80')).toBeUndefined() // more than ten others have come since
  for (let index = 0; index < 20; index++) {
    cache.set(`${index}`.padEnd(300), index)
    expect(cache.characters).toBeLessThanOrEqual(1000)
  }
  expect(cache.get('used')).toBeUndefined()
})
