// Statements and messages that a proxy makes fail, beside the same failures of the server itself, byte by byte.
import { describe, test } from 'vitest'
import { postgresForTests } from '../../../support/postgres.ts'
import { situations } from './genuine/conversations.ts'
import { expectSame, loggingServer, type Injected } from './swap-comparison.ts'

const server = postgresForTests(loggingServer)

type Cases = Partial<Record<keyof typeof situations, Injected>>

function compare(cases: Cases): void {
  const entries = Object.entries(cases) as [keyof typeof situations, Injected][]
  test.each(entries)('%s', (name, injected) => expectSame(situations[name], server(), injected))
}

/** The update of account 1, which in the genuine case a rival makes fail. */
const ofAccount1 = {
  match: { query: 'balance = 1 WHERE' },
  rival: true,
  table: 'accounts',
  neverRun: /balance = 1 WHERE/,
} as const

/** The same by the extended protocol, with parameters. */
const executionForAccount1 = {
  match: { statement: 'update', parameters: { 1: '1' } },
  rival: true,
  table: 'accounts',
  neverRun: /Parameters: \$1 = '1'/,
} as const

describe('a simple query fails as it fails by itself', () => {
  compare({
    simpleStatement: ofAccount1,
    simpleStatementInBlock: ofAccount1,
    simpleStatementAfterSavepoint: ofAccount1,
    simpleMultiStatement: ofAccount1,
    simpleMultiStatementAfterCommit: ofAccount1,
    simpleMultiStatementInBlock: ofAccount1,
  })
})

describe('Execute fails as it fails by itself', () => {
  compare({
    execution: executionForAccount1,
    executionInBlock: executionForAccount1,
    executionInPipeline: executionForAccount1,
    executionWithFlush: executionForAccount1,
  })
})

describe('other messages fail as they fail by themselves', () => {
  /** Neither in the log of what ran. */
  const known = /execute known/
  compare({
    bindOfUnknown: { attributes: { at: 'bind' }, match: { prepared: 'known' }, neverRun: known },
    bindOfStalePlan: { attributes: { at: 'bind' }, match: { prepared: 'known' }, neverRun: known },
    bindOfStalePlanInBlock: { attributes: { at: 'bind' }, match: { prepared: 'known' }, neverRun: known },
    parseOfUnknownTable: { attributes: { at: 'parse' }, match: { table: 'accounts' }, neverRun: /accounts/ },
    parseOfUnknownTableInBlock: { attributes: { at: 'parse' }, match: { table: 'accounts' }, neverRun: /accounts/ },
    describeOfUnknownStatement: { attributes: { at: 'describe' }, match: { prepared: 'known' } },
    // Execute says this, too, from another line of the same file.
    describeOfUnknownPortal: { attributes: { at: 'describe' }, match: { statement: 'select' }, except: ['L'] },
    // The usual error of this code comes from another file.
    callOfUnknownFunction: { neverRun: /fastpath function call/, except: ['F', 'L'] },
  })
})

describe('rows come before the failure as they come by itself', () => {
  const fourRows = { attributes: { at: 'rows', rows: 4 }, match: { table: 'divisors' } }
  compare({
    simpleRows: fourRows,
    simpleRowsInBlock: fourRows,
    rows: fourRows,
    rowsInParts: { match: { table: 'divisors' }, skip: 2 },
  })
})
