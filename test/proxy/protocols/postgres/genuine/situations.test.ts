// What a genuine failure sounds like, by the server itself: a proxy that injects the same has to sound like it.
import { describe, expect, test } from 'vitest'
import { transcript } from '../../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../../support/postgres-conversation.ts'
import { postgresForTests } from '../../../../support/postgres.ts'
import { situations, type Failure, type Situation } from './conversations.ts'

const server = postgresForTests({ users: [{ name: 'ann' }] })

async function heard(situation: Situation, failure: Failure): Promise<string[]> {
  await using client = await PostgresConversation.connect({ port: server().port, user: 'ann' })
  // OIDs depend on what was created before.
  return transcript(await situation(client, server(), failure)).map((line) => line.replace(/OID \d+/, 'OID …'))
}

/** One line for all up to a ReadyForQuery. */
async function genuine(situation: Situation): Promise<string> {
  const lines = await heard(situation, 'genuine')
  return lines
    .map((line) => (line.startsWith('Z') ? `${line}\n` : `${line} | `))
    .join('')
    .trimEnd()
}

test.each(Object.entries(situations))('%s goes well unless it is made to fail', async (_name, situation) => {
  const lines = await heard(situation, 'none')
  expect(lines.filter((line) => line.startsWith('E'))).toEqual([])
  expect(lines.at(-1)).toBe('Z I')
})

describe('simple query protocol', () => {
  test('simpleStatement', async () => {
    expect(await genuine(situations.simpleStatement)).toMatchInlineSnapshot(`
      "E 40001 ERROR could not serialize access due to concurrent update | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('simpleStatementInBlock', async () => {
    expect(await genuine(situations.simpleStatementInBlock)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      C UPDATE 1 | Z T
      E 40001 ERROR could not serialize access due to concurrent update | Z E
      E 25P02 ERROR current transaction is aborted, commands ignored until end of transaction block | Z E
      C ROLLBACK | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('simpleStatementAfterSavepoint', async () => {
    expect(await genuine(situations.simpleStatementAfterSavepoint)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      C SAVEPOINT | Z T
      E 40001 ERROR could not serialize access due to concurrent update | Z E
      C ROLLBACK | Z T
      C UPDATE 1 | Z T
      C COMMIT | Z I
      T id,balance | D 1,100 | D 2,2 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('simpleMultiStatement', async () => {
    expect(await genuine(situations.simpleMultiStatement)).toMatchInlineSnapshot(`
      "C UPDATE 1 | E 40001 ERROR could not serialize access due to concurrent update | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('simpleMultiStatementAfterCommit', async () => {
    expect(await genuine(situations.simpleMultiStatementAfterCommit)).toMatchInlineSnapshot(`
      "C BEGIN | C UPDATE 1 | C COMMIT | E 40001 ERROR could not serialize access due to concurrent update | Z I
      T id,balance | D 1,100 | D 2,2 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('simpleMultiStatementInBlock', async () => {
    expect(await genuine(situations.simpleMultiStatementInBlock)).toMatchInlineSnapshot(`
      "C BEGIN | C UPDATE 1 | E 40001 ERROR could not serialize access due to concurrent update | Z E
      C ROLLBACK | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('simpleRows', async () => {
    expect(await genuine(situations.simpleRows)).toMatchInlineSnapshot(
      `"T share | D 60 | D 30 | D 20 | D 15 | E 22012 ERROR division by zero | Z I"`,
    )
  })

  test('simpleRowsInBlock', async () => {
    expect(await genuine(situations.simpleRowsInBlock)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      T share | D 60 | D 30 | D 20 | D 15 | E 22012 ERROR division by zero | Z E
      C ROLLBACK | Z I"
    `)
  })
})

describe('extended query protocol', () => {
  test('execution', async () => {
    expect(await genuine(situations.execution)).toMatchInlineSnapshot(`
      "1 | 2 | n | E 40001 ERROR could not serialize access due to concurrent update | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,0 | C SELECT 3 | Z I"
    `)
  })

  test('executionInBlock', async () => {
    expect(await genuine(situations.executionInBlock)).toMatchInlineSnapshot(`
      "1 | 2 | C BEGIN | Z T
      2 | C UPDATE 1 | Z T
      2 | E 40001 ERROR could not serialize access due to concurrent update | Z E
      E 25P02 ERROR current transaction is aborted, commands ignored until end of transaction block | Z E
      1 | 2 | C ROLLBACK | Z I
      2 | C UPDATE 1 | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,3 | C SELECT 3 | Z I"
    `)
  })

  test('executionInPipeline', async () => {
    expect(await genuine(situations.executionInPipeline)).toMatchInlineSnapshot(`
      "2 | C UPDATE 1 | 2 | E 40001 ERROR could not serialize access due to concurrent update | Z I
      2 | C UPDATE 1 | Z I
      T id,balance | D 1,100 | D 2,0 | D 3,3 | C SELECT 3 | Z I"
    `)
  })

  test('executionWithFlush', async () => {
    expect(await genuine(situations.executionWithFlush)).toMatchInlineSnapshot(
      `"1 | 2 | E 40001 ERROR could not serialize access due to concurrent update | Z I"`,
    )
  })

  test('bindOfUnknown', async () => {
    expect(await genuine(situations.bindOfUnknown)).toMatchInlineSnapshot(`
      "E 26000 ERROR prepared statement "known" does not exist | Z I
      T two | D 2 | C SELECT 1 | Z I"
    `)
  })

  test('bindOfStalePlan', async () => {
    expect(await genuine(situations.bindOfStalePlan)).toMatchInlineSnapshot(
      `"E 0A000 ERROR cached plan must not change result type | Z I"`,
    )
  })

  test('bindOfStalePlanInBlock', async () => {
    expect(await genuine(situations.bindOfStalePlanInBlock)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      E 0A000 ERROR cached plan must not change result type | Z E
      C ROLLBACK | Z I"
    `)
  })

  test('parseOfUnknownTable', async () => {
    expect(await genuine(situations.parseOfUnknownTable)).toMatchInlineSnapshot(
      `"E 42P01 ERROR relation "accounts" does not exist | Z I"`,
    )
  })

  test('parseOfUnknownTableInBlock', async () => {
    expect(await genuine(situations.parseOfUnknownTableInBlock)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      E 42P01 ERROR relation "accounts" does not exist | Z E
      C ROLLBACK | Z I"
    `)
  })

  test('describeOfUnknownStatement', async () => {
    expect(await genuine(situations.describeOfUnknownStatement)).toMatchInlineSnapshot(
      `"E 26000 ERROR prepared statement "known" does not exist | Z I"`,
    )
  })

  test('describeOfUnknownPortal', async () => {
    expect(await genuine(situations.describeOfUnknownPortal)).toMatchInlineSnapshot(`
      "E 34000 ERROR portal "known" does not exist | Z E
      C ROLLBACK | Z I"
    `)
  })

  test('callOfUnknownFunction', async () => {
    expect(await genuine(situations.callOfUnknownFunction)).toMatchInlineSnapshot(
      `"E 42883 ERROR function with OID … does not exist | Z I"`,
    )
  })

  test('rows', async () => {
    expect(await genuine(situations.rows)).toMatchInlineSnapshot(
      `"1 | 2 | T share | D 60 | D 30 | D 20 | D 15 | E 22012 ERROR division by zero | Z I"`,
    )
  })

  test('rowsInParts', async () => {
    expect(await genuine(situations.rowsInParts)).toMatchInlineSnapshot(
      `"1 | 2 | T share | D 60 | D 30 | s | D 20 | D 15 | s | E 22012 ERROR division by zero | Z I"`,
    )
  })
})

describe('commits', () => {
  test('implicitCommitSimple', async () => {
    expect(await genuine(situations.implicitCommitSimple)).toMatchInlineSnapshot(`
      "E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('implicitCommitSimpleMulti', async () => {
    expect(await genuine(situations.implicitCommitSimpleMulti)).toMatchInlineSnapshot(`
      "C INSERT 0 1 | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('implicitCommitExtended', async () => {
    expect(await genuine(situations.implicitCommitExtended)).toMatchInlineSnapshot(`
      "1 | 2 | n | C INSERT 0 1 | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('implicitCommitPipeline', async () => {
    expect(await genuine(situations.implicitCommitPipeline)).toMatchInlineSnapshot(`
      "1 | 2 | C INSERT 0 1 | 2 | C INSERT 0 1 | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('commitSimple', async () => {
    expect(await genuine(situations.commitSimple)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      C INSERT 0 1 | Z T
      E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('commitSimpleMulti', async () => {
    expect(await genuine(situations.commitSimpleMulti)).toMatchInlineSnapshot(`
      "C BEGIN | C INSERT 0 1 | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('commitExtended', async () => {
    expect(await genuine(situations.commitExtended)).toMatchInlineSnapshot(`
      "1 | 2 | n | C BEGIN | Z T
      1 | 2 | n | C INSERT 0 1 | Z T
      1 | 2 | n | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('commitPipeline', async () => {
    expect(await genuine(situations.commitPipeline)).toMatchInlineSnapshot(`
      "1 | 2 | C BEGIN | 1 | 2 | C INSERT 0 1 | 1 | 2 | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })

  test('commitPrepared', async () => {
    expect(await genuine(situations.commitPrepared)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      C INSERT 0 1 | Z T
      2 | E 23503 ERROR insert or update on table "children" violates foreign key constraint "children_parent_fkey" | Z I
      C BEGIN | Z T
      2 | C COMMIT | Z I
      T count | D 0 | C SELECT 1 | Z I"
    `)
  })
})

describe('COPY', () => {
  test('copyInSimple', async () => {
    expect(await genuine(situations.copyInSimple)).toMatchInlineSnapshot(`
      "G text, 2 columns | E 23514 ERROR new row for relation "accounts" violates check constraint "picky" | Z I
      T count | D 3 | C SELECT 1 | Z I"
    `)
  })

  test('copyInBlock', async () => {
    expect(await genuine(situations.copyInBlock)).toMatchInlineSnapshot(`
      "C BEGIN | Z T
      G text, 2 columns | E 23514 ERROR new row for relation "accounts" violates check constraint "picky" | Z E
      C ROLLBACK | Z I
      T count | D 3 | C SELECT 1 | Z I"
    `)
  })

  test('copyInExtended', async () => {
    expect(await genuine(situations.copyInExtended)).toMatchInlineSnapshot(`
      "1 | 2 | n | G text, 2 columns | E 23514 ERROR new row for relation "accounts" violates check constraint "picky" | Z I
      T count | D 3 | C SELECT 1 | Z I"
    `)
  })

  test('copyInGivenUp', async () => {
    expect(await genuine(situations.copyInGivenUp)).toMatchInlineSnapshot(`
      "G text, 2 columns | E 57014 ERROR COPY from stdin failed: given up | Z I
      T count | D 3 | C SELECT 1 | Z I"
    `)
  })

  test('copyOut', async () => {
    expect(await genuine(situations.copyOut)).toMatchInlineSnapshot(
      `"H text, 1 columns | d "60\\n" | d "30\\n" | d "20\\n" | d "15\\n" | E 22012 ERROR division by zero | Z I"`,
    )
  })
})
