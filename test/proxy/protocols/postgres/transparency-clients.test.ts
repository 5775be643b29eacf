// What clients do with a server beyond asking and being answered works through a proxy whose rules never match:
// notifications, COPY, cursors, cancelling, replication, and what is too large to be looked at.
import { execFile, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Network, type FaultSpec } from '../../../../proxy/index.ts'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { cancel, PostgresConversation } from '../../../support/postgres-conversation.ts'
import {
  bind,
  copyData,
  copyDone,
  execute,
  flush,
  parse,
  query,
  sync,
  type Value,
} from '../../../support/postgres-frontend.ts'
import { postgresForTests } from '../../../support/postgres.ts'
import { portOf } from '../../../support/proxied.ts'

const server = postgresForTests()

const MEGABYTE = 1_000_000

/** The first makes the proxy look at each statement, the second at what Postgres's own parser says of it. */
const never: FaultSpec[] = [
  { type: 'pg_error', name: 'kind', match: { statement: 'merge' }, attributes: { code: '40001' } },
  { type: 'pg_error', name: 'table', match: { table: 'no_such_table' }, attributes: { code: '40001' } },
]

let network: Network
let port: number

beforeAll(async () => {
  network = new Network({ seed: 1 })
  const upstream = `127.0.0.1:${server().port}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'postgres', upstream, faults: never })
  port = portOf(proxy)
  await server().query(`
    CREATE TABLE lines (line text NOT NULL);
    CREATE TABLE rows (id int);
    CREATE PUBLICATION everything FOR ALL TABLES;
  `)
})

afterAll(() => network.close())

beforeEach(() => server().query('TRUNCATE lines, rows'))

/** Through the proxy. */
async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ ...server().connectionOptions, port })
  await client.connect()
  return client
}

function connectPostgresJs(): postgres.Sql {
  const { user, database } = server()
  return postgres({ host: '127.0.0.1', port, user, database, max: 1, onnotice: () => {} })
}

/** Until the server is at it, a request to cancel may come too early. */
async function untilActive(text: string): Promise<void> {
  const active = `SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE $1 AND pid <> pg_backend_pid()`
  while ((await server().query(active, [text])).length === 0);
}

describe('while nothing is asked', () => {
  test('notifications come', async () => {
    const client = await connect()
    await client.query('LISTEN news')
    for (const payload of ['first', 'second']) {
      const heard = once(client, 'notification') as Promise<[pg.Notification]>
      await server().query("SELECT pg_notify('news', $1)", [payload])
      expect((await heard)[0]).toMatchObject({ channel: 'news', payload })
    }
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await client.end()
  })

  test('the end of the server is told', async () => {
    await using client = await PostgresConversation.connect({ port })
    const { processId } = client
    client.forget()
    await server().query('SELECT pg_terminate_backend($1)', [processId])
    expect(await client.untilEnded()).toBe('FIN')
    expect(shape(client.messages)).toBe('E(57P01)')
  })
})

/** A table need not keep the order in which it was filled. */
const OUT = "COPY (SELECT line FROM lines ORDER BY split_part(line, ' ', 1)::int)"

describe('COPY', () => {
  const text =
    Array.from({ length: 50_000 }, (_, index) => `${index} ${'é\u{1F418}'.repeat(index % 20)}`).join('\n') + '\n'
  /** Pieces that end anywhere, also within a character. */
  const pieces = (): Buffer[] => {
    const bytes = Buffer.from(text)
    const sizes = [1, 70_000, 13, 8192, 300_001]
    const cut: Buffer[] = []
    for (let at = 0; at < bytes.length; at += sizes[(cut.length - 1) % sizes.length]!) {
      cut.push(bytes.subarray(at, at + sizes[cut.length % sizes.length]!))
    }
    return cut
  }

  test('by pg-copy-streams, in and out', async () => {
    const client = await connect()
    await pipeline(Readable.from(pieces()), client.query(copyFrom('COPY lines FROM STDIN')))
    expect((await buffer(client.query(copyTo(`${OUT} TO STDOUT`)))).toString() === text).toBe(true)
    expect((await client.query('SELECT count(*)::int FROM lines')).rows).toEqual([{ count: 50_000 }])
    await client.end()
  })

  test('by postgres.js, in and out', async () => {
    const sql = connectPostgresJs()
    await pipeline(Readable.from(pieces()), await sql`COPY lines FROM STDIN`.writable())
    expect((await buffer(await sql.unsafe(`${OUT} TO STDOUT`).readable())).toString() === text).toBe(true)
    await sql.end()
  })

  test('in the extended protocol, in and out', async () => {
    await using client = await PostgresConversation.connect({ port })
    client.forget()
    const messages = [parse('COPY lines FROM STDIN'), bind(), execute(), ...pieces().map(copyData), copyDone(), sync()]
    expect(shape(await client.ask(messages))).toBe('1 2 G C Z(I)')
    const out = await client.ask([parse(`${OUT} TO STDOUT`), bind(), execute(), sync()])
    const data = out.filter(({ type }) => type === 'd').map(({ bytes }) => bytes.subarray(5))
    expect(Buffer.concat(data).toString() === text).toBe(true)
  })

  test('that is given up changes nothing', async () => {
    const client = await connect()
    const stream = client.query(copyFrom('COPY lines FROM STDIN'))
    stream.write('one\n')
    stream.destroy(new Error('enough'))
    await once(stream, 'error')
    expect((await client.query('SELECT count(*)::int FROM lines')).rows).toEqual([{ count: 0 }])
    await client.end()
  })
})

describe('results in portions', () => {
  test('by pg-cursor', async () => {
    const client = await connect()
    const cursor = client.query(new Cursor<{ n: number }>('SELECT * FROM generate_series(1, $1) AS n', [1000]))
    const seen: number[] = []
    for (let rows = await cursor.read(300); rows.length > 0; rows = await cursor.read(300)) {
      seen.push(...rows.map(({ n }) => n))
    }
    await cursor.close()
    expect(seen).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1))
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await client.end()
  })

  test('by pg-cursor, closed before the end', async () => {
    const client = await connect()
    const cursor = client.query(new Cursor('SELECT generate_series(1, 1000)'))
    expect(await cursor.read(10)).toHaveLength(10)
    await cursor.close()
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await client.end()
  })

  test('by a cursor of postgres.js', async () => {
    const sql = connectPostgresJs()
    const counts: number[] = []
    for await (const rows of sql`SELECT * FROM generate_series(1, 1000) AS n`.cursor(400)) counts.push(rows.length)
    expect(counts).toEqual([400, 400, 200])
    await sql.end()
  })
})

describe('cancelling', () => {
  test.each([
    ['3.0', undefined],
    ['3.2, whose keys are longer', 0x0003_0002],
  ])('by a request, in protocol %s', async (_name, version) => {
    await using client = await PostgresConversation.connect({ port, ...(version !== undefined && { version }) })
    client.forget()
    client.send(query('SELECT pg_sleep(1000)'))
    await untilActive('%pg_sleep(1000)%')
    expect(await cancel(port, client)).toBe('FIN')
    await client.untilReady()
    expect(shape(client.messages)).toBe('T E(57014) Z(I)')
  })

  test('by postgres.js', async () => {
    const sql = connectPostgresJs()
    const sleeping = sql`SELECT pg_sleep(1001)`.execute()
    const failed = expect(sleeping).rejects.toMatchObject({ code: '57014' })
    await untilActive('%pg_sleep(1001)%')
    sleeping.cancel()
    await failed
    expect(await sql`SELECT 1 AS one`).toEqual([{ one: 1 }])
    await sql.end()
  })

  test('by pg', async () => {
    const client = await connect()
    const sleeping = client.query('SELECT pg_sleep(1002)')
    const failed = expect(sleeping).rejects.toMatchObject({ code: '57014' })
    await untilActive('%pg_sleep(1002)%')
    await server().query(`SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%sleep(1002)%'
      AND pid <> pg_backend_pid()`)
    await failed
    await client.end()
  })
})

describe('prepared statements', () => {
  test('of pg stay', async () => {
    const client = await connect()
    const named = (n: number) => client.query({ name: 'plus', text: 'SELECT $1::int + 1 AS n', values: [n] })
    expect((await named(1)).rows).toEqual([{ n: 2 }])
    expect((await named(2)).rows).toEqual([{ n: 3 }])
    await client.query('DEALLOCATE plus')
    await expect(named(3)).rejects.toMatchObject({ code: '26000' })
    await client.end()
  })

  test('of postgres.js stay, and errors in its pipelines hit only their own', async () => {
    const sql = connectPostgresJs()
    const asked = [1, 0, 2, 0, 4].map((n) => sql`SELECT 4 / ${n}::int AS n`)
    const answers = await Promise.allSettled(asked)
    const seen = answers.map((answer) =>
      answer.status === 'fulfilled' ? answer.value[0]!['n'] : (answer.reason as postgres.PostgresError).code,
    )
    expect(seen).toEqual([4, '22012', 2, '22012', 1])
    await sql.end()
  })
})

describe('replication', () => {
  const slot = 'CREATE_REPLICATION_SLOT s TEMPORARY LOGICAL pgoutput'
  const start = "START_REPLICATION SLOT s LOGICAL 0/0 (proto_version '1', publication_names 'everything')"

  test('a stream comes while the client is silent, and ends when it says so', async () => {
    await using client = await PostgresConversation.connect({ port, parameters: { replication: 'database' } })
    await client.query(slot)
    client.forget()
    client.send(query(start))
    await client.until(([first]) => first?.type === 'W', 'CopyBothResponse')
    await server().query("INSERT INTO lines VALUES ('seen by replicas')")
    const told = (): boolean => client.messages.some(({ bytes }) => bytes.includes('seen by replicas'))
    await client.until(told, 'the row', 10_000)
    // Standby status update: nothing written, flushed or applied, at no time, no answer wanted.
    client.send(copyData(Buffer.concat([Buffer.from('r'), Buffer.alloc(33)])))
    expect(shape((await client.ask([copyDone()])).filter(({ type }) => type !== 'd'))).toBe('c C C Z(I)')
    expect(transcript(await client.query('SELECT 1'))).toEqual(['T ?column?', 'D 1', 'C SELECT 1', 'Z I'])
  })
})

function unlooked(): unknown[] {
  return network.events.entries().filter(({ type }) => type === 'fault_not_applied')
}

describe('what is too large to be looked at', () => {
  test('a simple query of 1 MB passes, and its rules are told to be of no effect', async () => {
    const before = unlooked().length
    await using client = await PostgresConversation.connect({ port })
    client.forget()
    await client.query(`SELECT length('${'x'.repeat(MEGABYTE)}')`)
    expect(transcript(client.messages)).toEqual(['T length', `D ${MEGABYTE}`, 'C SELECT 1', 'Z I'])
    expect(unlooked().slice(before)).toMatchObject([{ detail: { fault: 'kind' } }, { detail: { fault: 'table' } }])
  })

  test.each([
    ['bytes', randomBytes(5 * MEGABYTE)],
    ['text', 'y'.repeat(5 * MEGABYTE)],
  ] as const)('parameters of 5 MB: %s', async (_name, value: Value) => {
    await using client = await PostgresConversation.connect({ port })
    client.forget()
    await client.ask([parse('SELECT $1::bytea', '', [17]), bind([value]), execute(), sync()])
    expect(shape(client.messages)).toBe('1 2 D C Z(I)')
    const hex = Buffer.from(value as string).toString('hex')
    expect(client.messages[2]!.bytes.includes(hex)).toBe(true)
  })

  test('a statement of 1 MB among others, in a pipeline', async () => {
    await using client = await PostgresConversation.connect({ port })
    client.forget()
    const large = parse(`SELECT length('${'x'.repeat(MEGABYTE)}')`)
    const small = [parse('SELECT 1'), bind(), execute()]
    await client.ask(
      [...small, large, bind(), execute(), ...small, sync(), large, flush(), bind(), execute(), sync()],
      2,
    )
    expect(shape(client.messages)).toBe('1 2 D C 1 2 D C 1 2 D C Z(I) 1 2 D C Z(I)')
  })
})

const present = (() => {
  try {
    return execFileSync('psql', ['--version']).length > 0
  } catch {
    return false
  }
})()

describe.skipIf(!present)('psql', () => {
  const run = promisify(execFile)

  async function psql(...commands: string[]): Promise<string> {
    const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', 'postgres']
    const each = commands.flatMap((command) => ['-c', command])
    const { stdout } = await run('psql', [...where, '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', ...each])
    return stdout
  }

  test('copies files in and out', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'faultline-psql-'))
    try {
      const text = Array.from({ length: 20_000 }, (_, index) => `${index}\n`).join('')
      await writeFile(join(folder, 'in'), text)
      await psql(`\\copy lines from '${join(folder, 'in')}'`, `\\copy ${OUT.slice(5)} to '${join(folder, 'out')}'`)
      expect(await readFile(join(folder, 'out'), 'utf8')).toBe(text)
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('describes tables, and gets results of several statements', async () => {
    expect(await psql('\\d lines')).toContain('line|text|')
    expect(await psql('SELECT 1; SELECT 2', 'BEGIN; SELECT 3; COMMIT')).toBe('1\n2\n3\n')
  })

  test('fetches in portions', async () => {
    const all = await psql('\\set FETCH_COUNT 100', 'SELECT generate_series(1, 1000)')
    expect(all).toBe(Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join(''))
  })
})
