// A replicated system whose link is cut and healed: the replica falls behind, catches up, and has the same data.
import { describe, expect, test } from 'vitest'
import { faults } from '../../proxy/index.ts'
import type { PostgresServer } from '../support/postgres.ts'
import { contentsOf, ReplicatedPostgres } from '../support/replicated-postgres.ts'
import { observe, untilTrue } from '../support/stream-faults.ts'

const sides = [['primary'], ['replica']] as const

/** 1.3 MB, more than a link keeps: the rest waits in the kernel, and in the primary. */
const ROWS = 5000

/** What a pipe keeps: 64 KiB, and one read of at most 256 KiB behind it. */
const KEPT_BYTES = (64 + 256) * 1024

/** Long enough for an answer that is not held: what it takes is below a millisecond. */
const STILL_MS = 60

/** The replica answers every second, without being asked. */
const ANSWER_PATIENCE = { timeout: 5000, interval: 50 }

/** Writes on the primary again and again; the replica has what it had, further and further behind. */
async function writeUnheard(postgres: ReplicatedPostgres): Promise<void> {
  const before = await contentsOf(postgres.replica)
  for (const times of [1, 2, 3]) {
    await postgres.write(ROWS)
    expect(await contentsOf(postgres.replica)).toEqual(before)
    expect(await postgres.lagBytes()).toBeGreaterThan(times * ROWS * 256)
  }
  expect((await contentsOf(postgres.primary)).rows).toBe(before.rows + 3 * ROWS)
}

async function expectEqual({ primary, replica }: ReplicatedPostgres): Promise<void> {
  expect(await contentsOf(replica)).toEqual(await contentsOf(primary))
}

/** What those who ask the server wait for. */
async function waitsOf(server: PostgresServer): Promise<string[]> {
  const sql = `SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active'`
  const rows = await server.query<{ wait_event: string | null }>(sql)
  return rows.flatMap(({ wait_event: event }) => event ?? [])
}

function isIn(log: readonly string[], text: string): boolean {
  return log.some((line) => line.includes(text))
}

async function untilHeld({ network }: ReplicatedPostgres, fault: string): Promise<void> {
  await untilTrue(() => network.injections.entries({ fault }).length > 0, `${fault} to hold something`)
}

/** For it, the proxy looks at all that is said. */
const failingInserts = { ...faults.pgError({ code: 'deadlock_detected' }), match: { statement: 'insert' } }

describe.each([
  { protocol: 'tcp', faults: [] },
  { protocol: 'postgres', faults: [failingInserts] },
] as const)('replication through a proxy with protocol $protocol', ({ protocol, faults }) => {
  test('a cut shorter than the timeouts: the replica catches up on the same connection', async () => {
    await using postgres = await ReplicatedPostgres.start({ protocol, faults })
    const { network, link } = postgres
    await postgres.write(ROWS)
    await postgres.untilReplayed()
    const sender = await postgres.walSender()

    const cut = network.partition({ groups: sides, name: 'cut' })
    await writeUnheard(postgres)
    await untilHeld(postgres, 'cut:stall:downstream')
    for (const connection of link.connections) expect(connection.heldBytes).toBeLessThan(2 * KEPT_BYTES)
    expect(await postgres.walSender()).toEqual(sender)

    cut.heal()
    await postgres.untilReplayed()
    await expectEqual(postgres)
    expect(await postgres.walSender()).toEqual(sender)
    expect(link.counters.acceptedConnections).toBe(1)
  })

  // Nothing is said on a connection that is rejected, so that protocols differ in little: short runs have one.
  test.runIf(protocol === 'tcp' || process.env['FAULTLINE_LONG'])(
    'a cut that rejects: the replica tries until it is let in, and catches up on another connection',
    async () => {
      await using postgres = await ReplicatedPostgres.start({ protocol, faults })
      const sender = await postgres.walSender()

      const cut = postgres.network.partition({ groups: sides, mode: 'reject' })
      await writeUnheard(postgres)
      await untilTrue(() => isIn(postgres.replica.log, 'Connection refused'), 'the replica to have tried again')
      expect(postgres.link.connections.size).toBe(0)

      cut.heal()
      await postgres.untilReplayed()
      await expectEqual(postgres)
      expect(await postgres.walSender()).not.toEqual(sender)
    },
  )
})

test('a cut longer than the primary waits: the replica catches up on another connection', async () => {
  // Default 60 s. The replica answers when it is asked, after half of the time, so it need not say anything by itself.
  await using postgres = await ReplicatedPostgres.start({ settings: { wal_sender_timeout: '1s' } })
  const sender = await postgres.walSender()

  const cut = postgres.network.partition({ groups: sides })
  await writeUnheard(postgres)
  await untilTrue(() => isIn(postgres.primary.log, 'terminating walsender process'), 'the primary to give up')
  expect(postgres.link.connections.size).toBe(1) // the replica does not know

  cut.heal()
  await postgres.untilReplayed()
  await expectEqual(postgres)
  expect(await postgres.walSender()).not.toEqual(sender)
})

test('only the replica is not heard: it has what a commit still waits for', async () => {
  await using postgres = await ReplicatedPostgres.start()
  const { network, primary, replica } = postgres
  const client = await primary.connect({ options: '-c synchronous_commit=remote_apply' })

  const cut = network.partition({ groups: [['replica'], ['primary']], oneWay: true, name: 'cut' })
  const committed = client.query(`INSERT INTO ledger (entry) VALUES ('heard')`)
  await expect.poll(() => contentsOf(replica)).toMatchObject({ rows: 1 })
  await untilHeld(postgres, 'cut:stall:upstream')
  await observe(STILL_MS)
  expect(await waitsOf(primary)).toContain('SyncRep')

  cut.heal()
  await committed
  await client.end()
  await expectEqual(postgres)
})

test('only the primary is not heard: the replica falls behind and goes on answering', async () => {
  await using postgres = await ReplicatedPostgres.start()
  const sender = await postgres.walSender()

  const cut = postgres.network.partition({ groups: sides, oneWay: true, name: 'cut' })
  await writeUnheard(postgres)
  await untilHeld(postgres, 'cut:stall:downstream')
  const answeredMs = await postgres.lastAnswerMs()
  await expect.poll(() => postgres.lastAnswerMs(), ANSWER_PATIENCE).toBeGreaterThan(answeredMs)

  cut.heal()
  await postgres.untilReplayed()
  await expectEqual(postgres)
  expect(await postgres.walSender()).toEqual(sender)
})

test('faults of statements leave a replica alone, and say so', async () => {
  const all = [faults.pgError({ code: 'deadlock_detected' }), faults.pgTerminate(), faults.pgReadOnly()]
  await using postgres = await ReplicatedPostgres.start({ protocol: 'postgres', faults: all })
  await postgres.write(10)
  await postgres.untilReplayed()
  await expectEqual(postgres)
  const { injections, events } = postgres.network
  expect(injections.entries()).toEqual([])
  expect(events.entries().map(({ type, detail }) => [type, detail['reason']])).toEqual([
    ['opaque', 'physical replication'],
    ...all.map(() => ['fault_not_applied', 'physical replication']),
  ])
})
