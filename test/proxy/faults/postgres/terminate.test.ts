// pg_terminate: connections that end the way servers end them, and what is left in the database.
import { beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../../../../proxy/clock.ts'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, describe as ask, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import {
  brokenOff,
  codeOf,
  createNotes,
  noteIds,
  startPostgresProxied,
  untilClientsAre,
  untilFound,
  ways,
} from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import * as genuine from '../../protocols/postgres/genuine/termination.ts'

const server = postgresForTests()
const TERMINATED = 'pg_terminate_downstream terminate'

beforeEach(() => createNotes(server()))

function terminate(attributes: Readonly<Record<string, unknown>>, match = {}) {
  return { type: 'pg_terminate', attributes, match }
}

/** The client's process in the server is gone: what it has not stored by now it never will. */
async function untilServerIsAlone(): Promise<void> {
  await untilClientsAre(server(), 0)
}

const INSERT = { statement: 'insert' }

/** postgres.js waits for a ReadyForQuery behind the error, and so never tells a FATAL one. */
function endCode(way: string): string {
  return way.startsWith('postgres.js') ? 'CONNECTION_CLOSED' : '57P01'
}

test.each(Object.entries(ways))('%s: what is told when the server itself ends a connection', async (way, connect) => {
  await using proxied = await startPostgresProxied(server())
  const client = await connect(proxied)
  expect(await codeOf(client.run('SELECT pg_terminate_backend(pg_backend_pid())'))).toBe(endCode(way))
})

describe('when a statement comes', () => {
  describe.each(Object.entries(ways))('%s', (way, connect) => {
    test('rolled_back: neither it nor what came before it in the transaction is stored', async () => {
      await using proxied = await startPostgresProxied(server())
      const client = await connect(proxied)
      await client.run('BEGIN')
      await client.run('INSERT INTO notes VALUES (1)')
      proxied.proxy.addFault(terminate({}, { query: 'VALUES (2)' }))
      expect(await codeOf(client.run('INSERT INTO notes VALUES (2)'))).toBe(endCode(way))
      await untilServerIsAlone()
      expect(await noteIds(server())).toEqual([])
      expect(proxied.injected()).toEqual([TERMINATED])
    })

    test('rolled_back: outside of a transaction, too, and instead of COMMIT', async () => {
      await using proxied = await startPostgresProxied(server())
      const first = await connect(proxied)
      const second = await connect(proxied)
      await second.run('BEGIN')
      await second.run('INSERT INTO notes VALUES (2)')
      proxied.proxy.addFault(terminate({}, { statement: ['insert', 'commit'] }))
      expect(await codeOf(first.run('INSERT INTO notes VALUES (1)'))).toBe(endCode(way))
      expect(await codeOf(second.run('COMMIT'))).toBe(endCode(way))
      await untilServerIsAlone()
      expect(await noteIds(server())).toEqual([])
      expect(proxied.injected()).toEqual([TERMINATED, TERMINATED])
    })

    test('may_commit: the client hears of the end at once, the server runs on and stores', async () => {
      await using proxied = await startPostgresProxied(server())
      const client = await connect(proxied)
      proxied.proxy.addFault(terminate({ outcome: 'may_commit' }, INSERT))
      await using blocker = await PostgresConversation.connect(server().connectionOptions)
      await blocker.query('BEGIN; LOCK TABLE notes')
      expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe(endCode(way))
      // It waits for the lock: the client has gone and it has not been stored.
      await untilFound(server(), 'SELECT FROM pg_locks WHERE NOT granted')
      await blocker.query('COMMIT')
      expect(await untilFound(server(), 'SELECT id FROM notes')).toEqual([{ id: 1 }])
      // The one that had the lock.
      await untilClientsAre(server(), 1)
      expect(proxied.injected()).toEqual([TERMINATED])
    })

    test('may_commit: in a transaction it is rolled back all the same, as nobody is left to commit', async () => {
      await using proxied = await startPostgresProxied(server())
      const client = await connect(proxied)
      await client.run('BEGIN')
      proxied.proxy.addFault(terminate({ outcome: 'may_commit' }, INSERT))
      expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe(endCode(way))
      await untilServerIsAlone()
      expect(await noteIds(server())).toEqual([])
    })

    test('may_commit: a COMMIT is carried out', async () => {
      await using proxied = await startPostgresProxied(server())
      const client = await connect(proxied)
      await client.run('BEGIN')
      await client.run('INSERT INTO notes VALUES (1)')
      proxied.proxy.addFault(terminate({ outcome: 'may_commit' }, { statement: 'commit' }))
      expect(await codeOf(client.run('COMMIT'))).toBe(endCode(way))
      await untilServerIsAlone()
      expect(await noteIds(server())).toEqual([1])
    })
  })

  const EXTENDED = [parse('SELECT 1'), bind(), ask(), execute(), sync()]

  test.each([
    ['simple', [query('SELECT 1')], ''],
    ['several', [query('INSERT INTO notes VALUES (1); SELECT 1')], 'C '],
    ['extended', EXTENDED, '1 2 T '],
  ] as const)('%s: the message as the server says it, byte for byte, then FIN', async (_name, messages, before) => {
    await using direct = await PostgresConversation.connect(server().connectionOptions)
    const [said] = await genuine.terminatedIdle(direct, server(), 'genuine')

    await using proxied = await startPostgresProxied(server(), [terminate({}, { statement: 'select' })])
    await using client = await proxied.raw()
    client.forget()
    client.send(...messages)
    expect(await client.untilEnded()).toBe('FIN')
    expect(shape(client.messages)).toBe(`${before}E(57P01)`)
    expect(client.messages.at(-1)!.bytes.toString()).toBe(said!.bytes.toString())
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual([])
  })

  test('crash_shutdown: a warning as a notice, then FIN without an error', async () => {
    await using proxied = await startPostgresProxied(server(), [terminate({ code: 'crash_shutdown' }, INSERT)])
    await using client = await proxied.raw()
    client.forget()
    client.send(query('INSERT INTO notes VALUES (1)'))
    expect(await client.untilEnded()).toBe('FIN')
    expect(transcript(client.messages)).toEqual([
      'N 57P02 WARNING terminating connection because of crash of another server process',
    ])
    expect(client.messages[0]!.fields).toMatchObject({ severityUntranslated: 'WARNING', routine: 'quickdie' })

    const driver = await proxied.pg()
    const notices: unknown[] = []
    driver.on('notice', ({ code }) => notices.push(code))
    expect(brokenOff).toContain(await codeOf(driver.query('INSERT INTO notes VALUES (1)')))
    expect(notices).toEqual(['57P02'])
    expect(brokenOff).toContain(await codeOf(proxied.postgresJs()`INSERT INTO notes VALUES (1)`))
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual([])
    expect(proxied.injected()).toEqual([TERMINATED, TERMINATED, TERMINATED])
  })

  test('in a failed transaction there is nothing to roll back: an event says so, the server answers 25P02', async () => {
    await using proxied = await startPostgresProxied(server(), [terminate({}, INSERT)])
    const client = await proxied.pg()
    await client.query('BEGIN')
    await codeOf(client.query('SELECT 1 / 0'))
    expect(await codeOf(client.query('INSERT INTO notes VALUES (1)'))).toBe('25P02')
    expect(proxied.network.events.entries().map(({ type }) => type)).toEqual(['fault_not_applied'])
    expect(proxied.injected()).toEqual([])
  })

  test('once, with times: 1: a client that connects again goes on', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...terminate({}, INSERT), times: 1 }])
    const first = await proxied.pg()
    expect(await codeOf(first.query('INSERT INTO notes VALUES (1)'))).toBe('57P01')
    const second = await proxied.pg()
    await second.query('INSERT INTO notes VALUES (2)')
    expect(await noteIds(server())).toEqual([2])
  })
})

describe('in the middle of a result', () => {
  const SQL = 'SELECT n FROM generate_series(1, 6) AS n'
  const RETURNING = 'INSERT INTO notes SELECT generate_series(1, 6) RETURNING id'

  test.each([
    ['simple', [query(SQL)], 'T D D D E(57P01)'],
    ['extended', [parse(SQL), bind(), ask(), execute(), sync()], '1 2 T D D D E(57P01)'],
  ] as const)('%s: so many rows, the error, FIN', async (_name, messages, seen) => {
    for (const outcome of ['rolled_back', 'may_commit']) {
      await using proxied = await startPostgresProxied(server(), [terminate({ when: 'result', rows: 3, outcome })])
      await using client = await proxied.raw()
      client.forget()
      client.send(...messages)
      expect(await client.untilEnded()).toBe('FIN')
      expect(shape(client.messages), outcome).toBe(seen)
      expect(client.unfinished).toHaveLength(0)
      expect(proxied.injected()).toEqual([TERMINATED])
    }
  })

  test.each([
    ['rolled_back', []],
    ['may_commit', [1, 2, 3, 4, 5, 6]],
  ] as const)('extended, %s: what INSERT … RETURNING has stored', async (outcome, stored) => {
    await using proxied = await startPostgresProxied(server(), [
      terminate({ when: 'result', rows: 2, outcome }, INSERT),
    ])
    await using client = await proxied.raw()
    client.forget()
    client.send(parse(RETURNING), bind(), execute(), sync())
    expect(await client.untilEnded()).toBe('FIN')
    expect(shape(client.messages)).toBe('1 2 D D E(57P01)')
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual(stored)
  })

  test.each(Object.entries(ways))('%s: as if the server had ended it, nothing is stored', async (way, connect) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault(terminate({ when: 'result', rows: 2 }, { statement: 'select' }))
    await client.run('BEGIN')
    await client.run('INSERT INTO notes VALUES (1)')
    expect(await codeOf(client.run(SQL))).toBe(endCode(way))
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual([])
    expect(proxied.injected()).toEqual([TERMINATED])
  })
})

describe('while idle', () => {
  const MINUTE_MS = 60_000
  const IDLE = { when: 'idle', afterMs: MINUTE_MS }

  test.each([
    ['pg_terminate_backend', {}, [], ['E 57P01 FATAL terminating connection due to administrator command']],
    [
      'in a transaction',
      { code: 'idle_in_transaction_session_timeout' },
      [query('BEGIN')],
      ['C BEGIN', 'Z T', 'E 25P03 FATAL terminating connection due to idle-in-transaction timeout'],
    ],
    [
      'in a failed transaction',
      { code: '25P03' },
      [query('BEGIN; SELECT nothing')],
      [
        'C BEGIN',
        'E 42703 ERROR column "nothing" does not exist',
        'Z E',
        'E 25P03 FATAL terminating connection due to idle-in-transaction timeout',
      ],
    ],
    [
      'out of one',
      { code: 'idle_session_timeout' },
      [query('SELECT')],
      ['T', 'D', 'C SELECT 1', 'Z I', 'E 57P05 FATAL terminating connection due to idle-session timeout'],
    ],
    [
      'crash',
      { code: '57P02' },
      [query('BEGIN')],
      ['C BEGIN', 'Z T', 'N 57P02 WARNING terminating connection because of crash of another server process'],
    ],
  ] as const)('%s: on an open connection', async (_name, attributes, messages, seen) => {
    await using proxied = await startPostgresProxied(server())
    await using client = await proxied.raw()
    client.forget()
    if (messages.length > 0) await client.ask(messages)
    proxied.proxy.addFault(terminate({ when: 'idle', ...attributes }))
    expect(await client.untilEnded()).toBe('FIN')
    expect(transcript(client.messages)).toEqual(seen)
    expect(proxied.injected()).toEqual([TERMINATED])
    await untilServerIsAlone()
  })

  test('only after so long, from the last answer on, and not while anything is asked', async () => {
    const clock = new ManualClock()
    await using proxied = await startPostgresProxied(server(), [terminate(IDLE)], { clock })
    await using client = await proxied.raw()
    for (let round = 0; round < 3; round++) {
      clock.advance(MINUTE_MS - 1)
      expect(shape(await client.query('SELECT 1'))).toBe('T D C Z(I)')
    }
    await using blocker = await PostgresConversation.connect(server().connectionOptions)
    await blocker.query('SELECT pg_advisory_lock(7)')
    client.send(query('SELECT pg_advisory_lock(7)'))
    await untilFound(server(), 'SELECT FROM pg_locks WHERE NOT granted')
    clock.advance(MINUTE_MS * 10)
    await blocker.query('SELECT pg_advisory_unlock(7)')
    await client.untilReady(5)
    clock.advance(MINUTE_MS - 1)
    expect(proxied.injected()).toEqual([])
    client.forget()
    clock.advance(1)
    expect(await client.untilEnded()).toBe('FIN')
    expect(shape(client.messages)).toBe('E(57P01)')
  })

  test('each code in its own state only, whichever it is told to wait for', async () => {
    const clock = new ManualClock()
    const faults = [
      { ...terminate({ ...IDLE, code: '25P03' }), name: 'in' },
      { ...terminate({ ...IDLE, code: '57P05', afterMs: 2 * MINUTE_MS }), name: 'out' },
    ]
    await using proxied = await startPostgresProxied(server(), faults, { clock })
    await using idle = await proxied.raw()
    await using inTransaction = await proxied.raw()
    await inTransaction.query('BEGIN')
    idle.forget()
    inTransaction.forget()
    clock.advance(MINUTE_MS)
    await inTransaction.untilEnded()
    expect(shape(inTransaction.messages)).toBe('E(25P03)')
    expect(idle.ending).toBe('open')
    clock.advance(MINUTE_MS)
    await idle.untilEnded()
    expect(shape(idle.messages)).toBe('E(57P05)')
    expect(proxied.injected()).toEqual(['in terminate', 'out terminate'])
  })

  test('a fault that is removed in time has done nothing; one that comes later begins to wait then', async () => {
    const clock = new ManualClock()
    await using proxied = await startPostgresProxied(server(), [], { clock })
    await using client = await proxied.raw()
    const { name } = proxied.proxy.addFault(terminate(IDLE))
    clock.advance(MINUTE_MS - 1)
    proxied.proxy.removeFault(name)
    clock.advance(MINUTE_MS)
    expect(shape(await client.query('SELECT 1'))).toBe('T D C Z(I)')
    proxied.proxy.addFault(terminate(IDLE))
    clock.advance(MINUTE_MS - 1)
    expect(client.ending).toBe('open')
    clock.advance(1)
    expect(await client.untilEnded()).toBe('FIN')
    expect(proxied.injected()).toEqual([TERMINATED])
  })

  test('pg hears of it as an error of the client; what a transaction has done is rolled back', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await proxied.pg()
    await client.query('BEGIN')
    await client.query('INSERT INTO notes VALUES (1)')
    const ended = new Promise<void>((resolve) => client.once('end', () => resolve()))
    proxied.proxy.addFault(terminate({ when: 'idle', code: '25P03' }))
    await ended
    expect(client.errors[0]).toMatchObject({ code: '25P03', severity: 'FATAL', routine: 'ProcessInterrupts' })
    await untilServerIsAlone()
    expect(await noteIds(server())).toEqual([])
  })

  test('postgres.js connects again for its next query', async () => {
    await using proxied = await startPostgresProxied(server())
    let closed: (() => void) | undefined
    const ended = new Promise<void>((resolve) => (closed = resolve))
    const sql = proxied.postgresJs({ onclose: () => closed?.() })
    await sql`INSERT INTO notes VALUES (1)`
    proxied.proxy.addFault({ ...terminate({ when: 'idle' }), times: 1 })
    await ended
    await sql`INSERT INTO notes VALUES (2)`
    expect(await noteIds(server())).toEqual([1, 2])
    expect(proxied.injected()).toEqual([TERMINATED])
  })
})
