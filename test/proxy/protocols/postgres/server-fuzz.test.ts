// Random sessions with a real server: what nobody disturbs is as it is without a proxy, and after injected errors client
// and server agree about what has been stored.
import fc, { type Arbitrary } from 'fast-check'
import { beforeAll, expect, test, vi } from 'vitest'
import { Network, type FaultSpec } from '../../../../proxy/index.ts'
import type { BackendMessage } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { portOf } from '../../../support/proxied.ts'

const LONG = process.env['FAULTLINE_LONG'] ? 20 : 1

vi.setConfig({ testTimeout: LONG === 1 ? 30_000 : 300_000 })

/** Long runs draw a new seed each time. A smaller example is not worth minutes. */
const runs = (count: number) => ({ numRuns: count * LONG, ...(LONG === 1 && { seed: 1 }) })

const server = postgresForTests()

const THE_END = 'the end of the session'

/** Sends it cut at these places, and a last query behind it; returns all answers up to that one's. */
async function say(port: number, prepare: string, bytes: Buffer, cuts: readonly number[]): Promise<BackendMessage[]> {
  await using conversation = await PostgresConversation.connect({ port })
  if (prepare !== '') await conversation.query(prepare)
  conversation.forget()
  const all = Buffer.concat([
    bytes,
    frontend.sync(),
    frontend.query('ROLLBACK'),
    frontend.query(`SELECT '${THE_END}' AS text`),
  ])
  const borders = [...new Set(cuts.map((cut) => cut % all.length))].toSorted((a, b) => a - b)
  for (const [index, from] of [0, ...borders].entries()) {
    conversation.socket.write(all.subarray(from, borders[index] ?? all.length))
    // The pieces may still travel together; session-fuzz.test.ts cuts for sure.
    await new Promise(setImmediate)
  }
  const isOver = (messages: readonly BackendMessage[]): boolean =>
    messages.at(-1)?.type === 'Z' && messages.some(({ type, summary }) => type === 'D' && summary === THE_END)
  await conversation.until(isOver, 'the end of the session', 20_000)
  return [...conversation.messages]
}

// ---- nobody disturbs anything ----------------------------------------------------------------------------------------

const STATEMENTS = [
  'SELECT 1 AS one',
  'SELECT a + 0 AS a FROM pg_temp.t ORDER BY 1',
  'SELECT * FROM generate_series(1, 5)',
  'INSERT INTO pg_temp.t VALUES (1)',
  'SELECT 1 / 0',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  '',
  'not sql at all (((',
  'SELECT \'ä;ö\' AS "a;b"',
  'COPY pg_temp.t TO STDOUT',
  "DO $$ BEGIN RAISE NOTICE 'there'; END $$",
  "SET application_name = 'other'",
]

const statement = fc.constantFrom(...STATEMENTS)
const name = fc.constantFrom('', 'a', 'b')

const simple = fc
  .array(statement, { minLength: 1, maxLength: 4 })
  .map((statements) => frontend.query(statements.join(';')))

const copying = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()).map(([isSimple, isRight, done]) => {
  const sql = 'COPY pg_temp.t FROM STDIN'
  // By a name of its own: nobody else is to execute it, without data.
  const name = 'copying'
  const extended = [
    frontend.close('S', name),
    frontend.parse(sql, name),
    frontend.bind([], name, name),
    frontend.execute(0, name),
  ]
  return Buffer.concat([
    ...(isSimple ? [frontend.query(sql)] : extended),
    frontend.copyData(isRight ? '7\n' : 'seven\n'),
    frontend.copyData('8\n'),
    done ? frontend.copyDone() : frontend.copyFail('no more'),
    ...(isSimple ? [] : [frontend.sync()]),
  ])
})

const extended: Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      fc
        .tuple(statement, fc.nat(2), name)
        .map(([sql, rows, as]) => [
          frontend.parse(sql, as),
          frontend.bind([], as),
          frontend.describe(),
          frontend.execute(rows),
        ]),
      fc.tuple(name, name).map(([of, portal]) => [frontend.bind([], of, portal), frontend.execute(1, portal)]),
      fc.tuple(fc.constantFrom('S' as const, 'P' as const), name).map(([kind, of]) => [frontend.close(kind, of)]),
      name.map((of) => [frontend.describe('S', of)]),
      fc.constant([frontend.flush()]),
      fc.constant([frontend.sync()]),
    ),
    { maxLength: 4 },
  )
  .map((groups) => Buffer.concat(groups.flat()))

const session = fc.record({
  said: fc
    .array(fc.oneof(simple, extended, extended, copying, fc.constant(frontend.functionCall(89))), { maxLength: 12 })
    .map((blocks) => Buffer.concat(blocks)),
  cuts: fc.array(fc.nat(3000), { maxLength: 6 }),
})

const never = { query: 'not to be found in any text' }
const points = ['statement', 'parse', 'bind', 'describe', 'commit', 'after', 'rows', 'copy']

const ruleSets: Record<string, readonly FaultSpec[]> = {
  'no rule': [],
  'rules that never match': [
    ...points.map((at) => ({ type: 'pg_error', attributes: { code: '40001', at }, match: never })),
    { type: 'pg_terminate', match: { database: 'no-such-database' }, attributes: { when: 'idle' } },
    { type: 'pg_truncate', match: { table: 'elsewhere' } },
  ],
  'delays of no time': [
    { type: 'pg_delay', attributes: { delayMs: 0 } },
    { type: 'pg_delay', attributes: { delayMs: 0, at: 'rows' } },
  ],
}

test.each(Object.entries(ruleSets))('everything is as it is without a proxy: %s', async (_name, faults) => {
  await using network = new Network({ seed: 1 })
  const named = faults.map((fault, index) => ({ ...fault, name: `f${index}` }))
  const upstream = `127.0.0.1:${server().port}`
  const proxy = await network.createProxy({ name: 'pg', protocol: 'postgres', upstream, faults: named })
  const property = fc.asyncProperty(session, async ({ said, cuts }) => {
    const prepare = 'CREATE TEMP TABLE t (a int)'
    const [through, direct] = await Promise.all(
      [portOf(proxy), server().port].map((port) => say(port, prepare, said, cuts)),
    )
    expect(bytesOf(through)).toBe(bytesOf(direct))
  })
  await fc.assert(property, runs(20))
  expect(network.events.entries().filter(({ type }) => type === 'opaque')).toEqual([])
})

function bytesOf(messages: readonly BackendMessage[] = []): string {
  return Buffer.concat(messages.map(({ bytes }) => bytes)).toString('latin1')
}

// ---- errors that client and server agree about -----------------------------------------------------------------------

type Kind = 'insert' | 'select' | 'rows' | 'wrong' | 'begin' | 'commit' | 'rollback' | 'empty'

/** One ReadyForQuery each. */
type Block =
  | {
      readonly by: 'simple' | 'extended'
      readonly statements: readonly Kind[]
      readonly maxRows: number
      readonly done?: undefined
    }
  | { readonly by: 'copy_simple' | 'copy_extended'; readonly done: boolean }

const kinds = fc.constantFrom<Kind>(
  'insert',
  'insert',
  'insert',
  'select',
  'rows',
  'wrong',
  'begin',
  'begin',
  'commit',
  'commit',
  'rollback',
  'empty',
)

const blocks: Arbitrary<readonly Block[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        by: fc.constantFrom('simple' as const, 'extended' as const),
        statements: fc.array(kinds, { minLength: 1, maxLength: 4 }),
        maxRows: fc.constantFrom(0, 0, 2),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        by: fc.constantFrom('copy_simple' as const, 'copy_extended' as const),
        done: fc.boolean(),
      }),
    },
  ),
  { minLength: 1, maxLength: 10 },
)

const faults: Arbitrary<readonly FaultSpec[]> = fc
  .uniqueArray(fc.record({ at: fc.constantFrom(...points), every: fc.integer({ min: 1, max: 4 }) }), {
    minLength: 1,
    maxLength: 2,
    selector: ({ at }) => at,
  })
  .map((wanted) =>
    wanted.map(({ at, every }) => ({
      type: 'pg_error',
      name: at,
      every,
      attributes: { code: '40001', at, message: INJECTED },
    })),
  )

const INJECTED = 'injected by a test'

/** What these statements fail with by themselves: division, failed transaction, CopyFail. */
const GENUINE = ['22012', '25P02', '57014']

let nextValue = 1

/** Each insert stores a value of its own. */
function materialize(kind: Kind, values: number[]): string {
  switch (kind) {
    case 'insert':
      values.push(nextValue)
      return `INSERT INTO stored VALUES (${nextValue++})`
    case 'rows':
      return 'SELECT * FROM generate_series(1, 4)'
    case 'wrong':
      return 'SELECT 1 / 0'
    case 'empty':
      return ''
    case 'select':
      return 'SELECT 1'
    default:
      return kind
  }
}

/** Its bytes, and the values that it stores in their order. */
function blockOf(block: Block): { bytes: Buffer; values: number[] } {
  const values: number[] = []
  if (block.by === 'simple') {
    const sql = block.statements.map((kind) => materialize(kind, values)).join(';')
    return { bytes: frontend.query(sql), values }
  }
  if (block.by === 'extended') {
    const { maxRows } = block
    const messages = block.statements.flatMap((kind) => [
      frontend.parse(materialize(kind, values)),
      frontend.bind(),
      frontend.describe(),
      frontend.execute(maxRows),
    ])
    return { bytes: Buffer.concat([...messages, frontend.sync()]), values }
  }
  const sql = 'COPY stored FROM STDIN'
  values.push(nextValue)
  const data = [frontend.copyData(`${nextValue++}\n`), block.done ? frontend.copyDone() : frontend.copyFail('no')]
  const isSimple = block.by === 'copy_simple'
  const extendedCopy = [frontend.parse(sql), frontend.bind(), frontend.execute(), ...data, frontend.sync()]
  return { bytes: Buffer.concat(isSimple ? [frontend.query(sql), ...data] : extendedCopy), values }
}

/** What a client believes to have stored, by what it was told. */
function believed(messages: readonly BackendMessage[], valuesOfBlocks: readonly (readonly number[])[]): number[] {
  const stored: number[] = []
  let pending: number[] = []
  let block = 0
  let values = [...(valuesOfBlocks[0] ?? [])]
  for (const { type, summary } of messages) {
    if (type === 'E') pending = []
    else if (type === 'C' && (summary.startsWith('INSERT') || summary.startsWith('COPY'))) pending.push(values.shift()!)
    else if (type === 'C' && summary === 'ROLLBACK') pending = []
    if ((type === 'C' && summary === 'COMMIT') || (type === 'Z' && summary === 'I')) stored.push(...pending.splice(0))
    if (type === 'Z') values = [...(valuesOfBlocks[++block] ?? [])]
  }
  return stored
}

beforeAll(() => server().query('CREATE TABLE stored (v int PRIMARY KEY)'))

test.each([
  ['that waits for answers', true],
  ['that does not wait for answers', false],
])('with errors at random a client %s and the server agree', async (_name, waits) => {
  await using network = new Network({ seed: 1, injectionLogEntries: 100_000 })
  const upstream = `127.0.0.1:${server().port}`
  const proxy = await network.createProxy({ name: 'pg', protocol: 'postgres', upstream })
  const property = fc.asyncProperty(blocks, faults, async (wanted, specs) => {
    proxy.removeAllFaults()
    for (const spec of specs) proxy.addFault(spec)
    const before = network.injections.entries().length
    const from = nextValue
    const made = wanted.map(blockOf)
    await using conversation = await PostgresConversation.connect({ port: portOf(proxy) })
    conversation.forget()
    if (waits) for (const { bytes } of made) await conversation.ask([bytes])
    else
      await conversation.ask(
        made.map(({ bytes }) => bytes),
        made.length,
      )
    const answers = [...conversation.messages]

    proxy.removeAllFaults()
    const last = await conversation.ask([frontend.query('ROLLBACK'), frontend.query('SELECT 1 AS one')], 2)

    const seen = answers.map(({ type, summary }) => `${type} ${summary}`).join('\n')
    expect(
      answers.filter(({ type }) => type === 'Z'),
      seen,
    ).toHaveLength(made.length)
    expect(last.map(({ type, summary }) => `${type} ${summary}`.trim()).slice(-4)).toEqual([
      'T one',
      'D 1',
      'C SELECT 1',
      'Z I',
    ])
    const errors = answers.filter(({ type }) => type === 'E').map(({ fields }) => fields)
    const injected = errors.filter(({ message }) => message === INJECTED)
    for (const { code } of injected) expect(code).toBe('40001')
    const genuine = errors.filter(({ message }) => message !== INJECTED)
    expect(GENUINE, seen).toEqual(expect.arrayContaining(genuine.map(({ code }) => code)))
    expect(network.injections.entries().length - before, seen).toBe(injected.length)
    const { received } = conversation.socket
    expect(received.includes('faultline_'), seen).toBe(false)
    const rows = await server().query<{ v: number }>('SELECT v FROM stored WHERE v >= $1 ORDER BY v', [from])
    expect(
      rows.map(({ v }) => v),
      seen,
    ).toEqual(
      believed(
        answers,
        made.map(({ values }) => values),
      ),
    )
  })
  await fc.assert(property, runs(75))
})
