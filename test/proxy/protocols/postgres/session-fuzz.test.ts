// Whatever is said passes: rules that do not match, and delays of no time, change no byte, however the bytes are cut and
// whatever order they come in.
import fc, { type Arbitrary } from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../../../proxy/index.ts'
import { loadSqlParser } from '../../../../proxy/protocols/postgres/sql.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import { IsolatedPostgres } from '../../../support/isolated-postgres.ts'
import { SCRIPTED_SQL, ScriptedServer } from '../../../support/postgres-scripted.ts'

const LONG = process.env['FAULTLINE_LONG'] ? 30 : 1

/** Long runs draw a new seed each time. */
const runs = (count: number) => (LONG > 1 ? { numRuns: count * LONG } : { numRuns: count, seed: 1 })

// ---- what is said ----------------------------------------------------------------------------------------------------

const sql = fc.constantFrom(...SCRIPTED_SQL)
/** '' is the unnamed one; the last one does not exist. */
const name = fc.constantFrom('', 'a', 'b', 'none')

const anyMessage: Arbitrary<Buffer> = fc.oneof(
  fc.array(sql, { minLength: 1, maxLength: 4 }).map((statements) => frontend.query(statements.join(';'))),
  fc.tuple(sql, fc.constantFrom('', 'a', 'b')).map(([text, statement]) => frontend.parse(text, statement)),
  fc.tuple(name, name).map(([statement, portal]) => frontend.bind(['1', null], statement, portal)),
  fc.tuple(fc.constantFrom('S' as const, 'P' as const), name).map(([kind, of]) => frontend.describe(kind, of)),
  fc.tuple(fc.nat(3), name).map(([rows, portal]) => frontend.execute(rows, portal)),
  fc.tuple(fc.constantFrom('S' as const, 'P' as const), name).map(([kind, of]) => frontend.close(kind, of)),
  fc.constantFrom(frontend.sync(), frontend.sync(), frontend.flush(), frontend.functionCall(1, ['x'])),
  fc.constantFrom(frontend.copyData('1\n'), frontend.copyDone(), frontend.copyFail('no more')),
)

/** As drivers say it: a statement from Parse to Sync. */
const usual: Arbitrary<Buffer> = fc
  .tuple(
    sql.filter((text) => !text.includes('from stdin')),
    fc.nat(2),
    fc.boolean(),
  )
  .map(([text, rows, synced]) =>
    Buffer.concat([
      frontend.parse(text),
      frontend.bind(['x']),
      frontend.describe(),
      frontend.execute(rows),
      ...(synced ? [frontend.sync()] : []),
    ]),
  )

const copying: Arbitrary<Buffer> = fc
  .tuple(fc.boolean(), fc.array(fc.constantFrom('1\n', 'xyz'), { maxLength: 3 }), fc.boolean())
  .map(([simple, chunks, done]) =>
    Buffer.concat([
      simple
        ? frontend.query('copy t from stdin')
        : Buffer.concat([frontend.parse('copy t from stdin'), frontend.bind(), frontend.execute()]),
      ...chunks.map((chunk) => frontend.copyData(chunk)),
      done ? frontend.copyDone() : frontend.copyFail('no'),
      ...(simple ? [] : [frontend.sync()]),
    ]),
  )

/** Seldom, as they take their time: too long to be looked at, or nearly. */
const long: Arbitrary<Buffer> = fc
  .tuple(fc.constantFrom(250_000, 262_140, 270_000), fc.nat(2))
  .map(([length, kind]) => {
    const text = `select '${'x'.repeat(length)}'`
    return [frontend.query(text), frontend.parse(text), frontend.bind([text])][kind] as Buffer
  })

interface Conversation {
  readonly requests: readonly Buffer[]
  readonly said: Buffer
  readonly cuts: readonly number[]
  readonly turns: readonly { readonly kind: number; readonly bytes: number }[]
}

const simple = fc
  .array(
    sql.filter((text) => !text.includes('from stdin')),
    { maxLength: 4 },
  )
  .map((statements) => frontend.query(statements.join(';')))

const conversationsOf = (messages: Arbitrary<Buffer>): Arbitrary<Conversation> =>
  fc
    .record({
      requests: fc.subarray([frontend.gssEncRequest(), frontend.sslRequest()]),
      messages: fc.array(messages, { maxLength: 30 }),
      cuts: fc.array(fc.nat(3000), { maxLength: 12 }),
      turns: fc.array(fc.record({ kind: fc.nat(3), bytes: fc.integer({ min: 1, max: 60 }) }), { maxLength: 80 }),
    })
    .map(({ requests, messages, cuts, turns }) => {
      const startup = frontend.startup({ user: 'ann', database: 'shop' })
      return { requests, said: Buffer.concat([startup, ...messages, frontend.sync()]), cuts, turns }
    })

/** What clients say that keep to the protocol. */
const sensible = conversationsOf(fc.oneof(usual, usual, simple, copying, fc.constant(frontend.sync())))

/** Anything in any order. */
const conversations = conversationsOf(
  fc.oneof(
    { weight: 60, arbitrary: anyMessage },
    { weight: 30, arbitrary: usual },
    { weight: 8, arbitrary: copying },
    { weight: 1, arbitrary: long },
  ),
)

function pieces({ said, cuts }: Conversation): Buffer[] {
  const borders = [...new Set(cuts.map((cut) => cut % said.length))].filter(Boolean).toSorted((a, b) => a - b)
  return [0, ...borders].map((from, index) => said.subarray(from, borders[index] ?? said.length))
}

function talk(isolated: IsolatedPostgres, conversation: Conversation): void {
  // Clients wait for the answer to these.
  for (const request of conversation.requests) {
    isolated.say(request)
    isolated.settle()
  }
  const waiting = pieces(conversation)
  for (const { kind, bytes } of conversation.turns) {
    if (kind === 0) isolated.serve()
    else if (kind === 1) isolated.answer(bytes)
    else if (kind === 2) isolated.clock.advance(0)
    else if (waiting.length > 0) isolated.say(waiting.shift() as Buffer)
  }
  for (const chunk of waiting) isolated.say(chunk)
  isolated.settle()
}

/** What a client would hear without a proxy. */
function direct({ requests, said }: Conversation): Buffer {
  const server = new ScriptedServer()
  return Buffer.concat([...requests, said].map((bytes) => server.receive(bytes)))
}

// ---- the same bytes --------------------------------------------------------------------------------------------------

const never = { database: 'no-such-database' }
const error = (at: string, match: object): FaultSpec => ({
  type: 'pg_error',
  attributes: { code: '40001', at },
  match: { ...match },
})
const points = ['statement', 'parse', 'bind', 'describe', 'commit', 'after', 'rows', 'copy']

const ruleSets: Record<string, readonly FaultSpec[]> = {
  'no rule': [],
  'rules for other connections': [
    ...points.map((at) => error(at, never)),
    { type: 'pg_connect_error', match: never },
    { type: 'pg_terminate', match: never, attributes: { when: 'idle' } },
    { type: 'pg_read_only', match: never },
    { type: 'pg_pooler', match: never },
    { type: 'pg_half_open', match: never },
  ],
  'rules for other statements': [
    ...points.map((at) => error(at, { query: 'not to be found in any text' })),
    error('statement', { statement: 'merge' }),
    { type: 'pg_delay', attributes: { delayMs: 1, at: 'rows' }, match: { table: 'elsewhere' } },
    { type: 'pg_truncate', match: { prepared: 'other' } },
    { type: 'pg_commit_lost', match: { statement: 'vacuum' } },
    { type: 'pg_terminate', match: { parameters: { 2: 'x' } } },
  ],
  'rules that have been used up': points.map((at) => ({ ...error(at, {}), skip: 1_000_000 })),
  'delays of no time': [
    { type: 'pg_delay', attributes: { delayMs: 0 } },
    { type: 'pg_delay', attributes: { delayMs: 0, at: 'commit' } },
    { type: 'pg_delay', attributes: { delayMs: 0, at: 'rows' } },
  ],
  'delays and pauses': [
    { type: 'pg_delay', attributes: { delayMs: 2 } },
    { type: 'pg_delay', attributes: { delayMs: 1, at: 'rows', everyRows: 2 } },
    { type: 'pg_throttle', attributes: { rowsPerSecond: 1000 } },
  ],
}

const named = (faults: readonly FaultSpec[]): FaultSpec[] =>
  faults.map((fault, index) => ({ ...fault, name: `f${index}` }))

beforeAll(loadSqlParser)

describe.each(Object.entries(ruleSets))('%s', (_name, faults) => {
  test('both ends get the bytes that they would get without a proxy, and FIN behind them', () => {
    const property = fc.property(conversations, (conversation) => {
      const isolated = new IsolatedPostgres(named(faults))
      talk(isolated, conversation)
      const { session, upstream, downstream } = isolated
      for (const direction of ['upstream', 'downstream'] as const) session.input[direction].end()
      const said = Buffer.concat([...conversation.requests, conversation.said])
      expect(upstream.bytes.toString('latin1')).toBe(said.toString('latin1'))
      expect(downstream.bytes.toString('latin1')).toBe(direct(conversation).toString('latin1'))
      expect([upstream.ending, downstream.ending]).toEqual([' end', ' end'])
      expect(isolated.events.filter((event) => event.startsWith('opaque'))).toEqual([])
      expect(session.input.upstream.heldBytes + session.input.downstream.heldBytes).toBe(0)
      session.dispose()
    })
    fc.assert(property, runs(100))
  })
})

const waiting: readonly FaultSpec[] = [{ type: 'pg_pooler', skip: 1_000_000 }]

describe.each([...Object.entries(ruleSets), ['a rule that makes clients wait for answers', waiting]] as const)(
  '%s',
  (_name, faults) => {
    test('the session knows what has been answered', () => {
      const property = fc.property(sensible, (conversation) => {
        const isolated = new IsolatedPostgres(named(faults))
        talk(isolated, conversation)
        const said = Buffer.concat([...conversation.requests, conversation.said])
        expect(isolated.upstream.bytes.toString('latin1')).toBe(said.toString('latin1'))
        expect(isolated.downstream.bytes.toString('latin1')).toBe(direct(conversation).toString('latin1'))
        const { queue, skipping, copyIn, firings, transaction } = isolated.session
        expect({ queue, skipping, copyIn, firings: firings.size }).toEqual({
          queue: [],
          skipping: false,
          copyIn: false,
          firings: 0,
        })
        const status = isolated.downstream.bytes.toString('latin1').at(-1)
        expect(transaction).toBe({ I: 'idle', T: 'open', E: 'failed' }[status ?? ''])
        isolated.session.dispose()
      })
      fc.assert(property, runs(100))
    })
  },
)

describe('bytes that are no messages', () => {
  const garbage = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes))

  test.each(Object.entries(ruleSets))('pass as they are in both directions: %s', (_title, faults) => {
    const property = fc.property(conversations, garbage, garbage, fc.boolean(), (conversation, up, down, started) => {
      const isolated = new IsolatedPostgres(named(faults))
      if (started) talk(isolated, conversation)
      const { session, upstream, downstream } = isolated
      const before = { up: upstream.bytes, down: downstream.bytes }
      session.input.upstream.write(Buffer.from(up))
      session.input.downstream.write(Buffer.from(down))
      for (const direction of ['upstream', 'downstream'] as const) session.input[direction].end()
      // What looks like a statement may wait.
      isolated.clock.advance(1000)
      expect(upstream.bytes.toString('hex')).toBe(Buffer.concat([before.up, up]).toString('hex'))
      expect(downstream.bytes.toString('hex')).toBe(Buffer.concat([before.down, down]).toString('hex'))
      expect([upstream.ending, downstream.ending]).toEqual([' end', ' end'])
      session.dispose()
    })
    fc.assert(property, runs(70))
  })
})

// ---- faults that act -------------------------------------------------------------------------------------------------

test('faults that act never throw, show no name of their own, and leave nothing held behind', () => {
  const acting: FaultSpec[] = named([
    ...points.map((at) => error(at, {})),
    { type: 'pg_error', attributes: { code: '57P01' } },
    { type: 'pg_terminate', attributes: { when: 'result' } },
    { type: 'pg_terminate', attributes: { outcome: 'may_commit' } },
    { type: 'pg_terminate', attributes: { when: 'idle', afterMs: 1 } },
    { type: 'pg_connect_error', attributes: { code: 'too_many_connections' } },
    { type: 'pg_connect_error', attributes: { hang: true, at: 'authenticated' } },
    { type: 'pg_commit_lost', attributes: { when: 'before' } },
    { type: 'pg_commit_lost', attributes: { when: 'after' } },
    { type: 'pg_truncate', attributes: { partOfRow: true } },
    { type: 'pg_delay', attributes: { delayMs: 0, at: 'server' } },
    { type: 'pg_read_only' },
    { type: 'pg_pooler' },
    { type: 'pg_half_open' },
    { type: 'pg_throttle', attributes: { rowsPerSecond: 1 } },
  ])
  const chosen = fc.uniqueArray(fc.nat(acting.length - 1), { minLength: 1, maxLength: 4 })
  const property = fc.property(
    conversations,
    chosen,
    fc.integer({ min: 1, max: 3 }),
    (conversation, indexes, every) => {
      const isolated = new IsolatedPostgres(indexes.map((index) => ({ ...acting[index]!, every })))
      talk(isolated, conversation)
      expect(isolated.downstream.bytes.toString('latin1')).not.toContain('faultline_')
      const { session } = isolated
      session.dispose()
      expect(session.input.upstream.heldBytes).toBe(0)
      expect(session.input.downstream.heldBytes).toBe(0)
      expect(isolated.clock.pendingTimers).toBe(0)
    },
  )
  fc.assert(property, runs(170))
})
