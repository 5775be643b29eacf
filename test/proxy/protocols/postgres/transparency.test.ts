// Through a proxy a server says the same as by itself, byte for byte: with and without rules, and however the bytes of
// both sides are cut.
import { beforeAll, describe, expect, test } from 'vitest'
import { Network, type FaultSpec } from '../../../../proxy/index.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { portOf } from '../../../support/proxied.ts'
import { bytewise, hold, randomly, startCutter, whole, type Cut, type Exchange } from './exchange.ts'
import { exchanges, SETUP } from './exchanges.ts'

const LONG = process.env['FAULTLINE_LONG'] ? 10 : 1

const server = postgresForTests()

beforeAll(() => server().query(SETUP))

/** Every point at which statements and messages are looked at, and nothing that is ever found there. */
const never: FaultSpec[] = [
  { type: 'pg_error', match: { statement: 'merge' }, attributes: { code: '40001' } },
  { type: 'pg_error', match: { table: 'no_such_table' }, attributes: { code: '40001', at: 'commit' } },
  { type: 'pg_error', match: { query: 'never said' }, attributes: { code: '40001', at: 'parse' } },
  { type: 'pg_error', match: { parameters: { '1': 'never given' } }, attributes: { code: '40001', at: 'bind' } },
  { type: 'pg_error', match: { prepared: 'never_prepared' }, attributes: { code: '40001', at: 'describe' } },
  { type: 'pg_terminate', match: { user: 'never' }, attributes: { when: 'idle' } },
  { type: 'pg_connect_error', match: { database: 'never' }, attributes: { code: '57P03' } },
  { type: 'pg_pooler', match: { applicationName: 'never' } },
].map((fault, index) => ({ ...fault, name: `never_${index}` }))

/** All that is looked at is taken apart and held for no time at all, and its rows are counted. */
const idle: FaultSpec[] = [
  { type: 'pg_delay', name: 'held', attributes: { delayMs: 0 } },
  { type: 'pg_delay', name: 'paced', attributes: { at: 'rows', delayMs: 0 } },
]

/** A client that does not wait for answers is made to. */
const oneByOne: FaultSpec[] = [{ type: 'pg_pooler', name: 'pooler', skip: 1_000_000_000 }]

interface Way {
  readonly faults: FaultSpec[]
  readonly requests: Cut
  readonly answers: Cut
}

async function through({ faults, requests, answers }: Way, exchange: Exchange): Promise<string[]> {
  await using cutter = await startCutter(server().port, answers)
  const network = new Network({ seed: 1 })
  try {
    const { address } = cutter
    const proxy = await network.createProxy({ name: 'p', protocol: 'postgres', upstream: address, faults })
    return await hold(exchange, portOf(proxy), requests)
  } finally {
    await network.close()
  }
}

/** The same exchange with the server itself, once for all ways. */
const straights = new Map<Exchange, Promise<string[]>>()
function straight(exchange: Exchange): Promise<string[]> {
  const known = straights.get(exchange) ?? hold(exchange, server().port)
  straights.set(exchange, known)
  return known
}

const ways: readonly (readonly [string, Way])[] = [
  ['without a fault', { faults: [], requests: whole, answers: whole }],
  ['with rules that never match, byte by byte', { faults: never, requests: bytewise, answers: bytewise }],
  ['with rules that change nothing', { faults: [...never, ...idle], requests: whole, answers: whole }],
  ['one by one, in pieces', { faults: oneByOne, requests: randomly(1), answers: randomly(2) }],
  ...Array.from({ length: LONG }, (_, index): readonly [string, Way] => [
    `in pieces of any size, ${index}`,
    { faults: [...never, ...idle], requests: randomly(index + 11), answers: randomly(index + 5000) },
  ]),
  // What the same rules see byte by byte, and others of whole messages, is more than this.
  ...(LONG > 1 ? [['with rules that never match', { faults: never, requests: whole, answers: whole }] as const] : []),
]

describe.each(ways)('%s', (_name, way) => {
  for (const [retry, some] of [
    [0, exchanges.filter(({ leavesUnread }) => leavesUnread !== true)],
    [3, exchanges.filter(({ leavesUnread }) => leavesUnread === true)],
  ] as const) {
    test.each(some.map((exchange) => [exchange.name, exchange] as const))(
      '%s',
      { retry },
      async (_exchange, exchange) => {
        const direct = await straight(exchange)
        expect(await through(way, exchange)).toEqual(direct)
      },
    )
  }
})
