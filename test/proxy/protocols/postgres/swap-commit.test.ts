// Commits and COPY that a proxy makes fail, beside the same failures of the server itself, byte by byte.
import { describe, test } from 'vitest'
import { postgresForTests } from '../../../support/postgres.ts'
import { situations } from './genuine/conversations.ts'
import { expectSame, loggingServer, type Injected } from './swap-comparison.ts'

const server = postgresForTests(loggingServer)

function compare(cases: Partial<Record<keyof typeof situations, Injected>>): void {
  const entries = Object.entries(cases) as [keyof typeof situations, Injected][]
  test.each(entries)('%s', (name, injected) => expectSame(situations[name], server(), injected))
}

describe('COMMIT fails as it fails by itself', () => {
  const ofCommit = {
    attributes: { at: 'commit' },
    match: { statement: 'commit' },
    table: 'children',
    neverRun: /commit/i,
  } as const
  compare({
    commitSimple: ofCommit,
    commitSimpleMulti: ofCommit,
    commitExtended: ofCommit,
    commitPipeline: ofCommit,
    // The second COMMIT succeeds.
    commitPrepared: { ...ofCommit, neverRun: /(?:execute commit[^]*){2}/ },
  })
})

describe('an implicit commit fails as it fails by itself', () => {
  const ofInsert = { attributes: { at: 'commit' }, match: { statement: 'insert' }, table: 'children' } as const
  compare({
    implicitCommitSimple: ofInsert,
    implicitCommitSimpleMulti: ofInsert,
    implicitCommitExtended: ofInsert,
    implicitCommitPipeline: ofInsert,
  })
})

describe('COPY FROM STDIN fails midway as it fails by itself', () => {
  const twoRows = {
    // Two rows of four bytes: the third makes it fail.
    attributes: { at: 'copy', bytes: 8 },
    match: { statement: 'copy' },
    table: 'accounts',
  } as const
  compare({
    copyInSimple: twoRows,
    copyInBlock: twoRows,
    copyInExtended: twoRows,
    // Genuine if the client gives up; the usual error of this code comes from another file.
    copyInGivenUp: { ...twoRows, attributes: { at: 'copy', bytes: 4 }, except: ['F', 'L'] },
  })
})
