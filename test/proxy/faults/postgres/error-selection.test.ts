// Which statements pg_error acts on: skip, every, times, probability, counted together or by key. Exact counts.
import { beforeEach, describe, expect, test } from 'vitest'
import { shape } from '../../../support/postgres-backend.ts'
import { bind, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import {
  codeOf,
  createNotes,
  noteIds,
  startPostgresProxied,
  ways,
  type Runner,
} from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests({ users: [{ name: 'ann' }, { name: 'bob' }] })

beforeEach(async () => {
  await createNotes(server())
  await server().query('GRANT ALL ON notes TO public')
})

const INJECTED = '40001'
const ERROR = { type: 'pg_error', attributes: { code: INJECTED }, match: { statement: 'insert' } }

/** Inserts so many rows, each in a transaction of its own: which ones have failed, by number from 1. */
async function failures(client: Runner, count: number, from = 1): Promise<number[]> {
  const failed: number[] = []
  for (let id = from; id < from + count; id++) {
    const code = await codeOf(client.run(`INSERT INTO notes VALUES (${id})`))
    expect(['none', INJECTED]).toContain(code)
    if (code !== 'none') failed.push(id)
  }
  return failed
}

function others(count: number, failed: readonly number[]): number[] {
  return Array.from({ length: count }, (_, index) => index + 1).filter((id) => !failed.includes(id))
}

describe.each(Object.entries(ways))('%s', (_way, connect) => {
  test.each([
    ['all', {}, [1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['skip', { skip: 6 }, [7, 8, 9]],
    ['times', { times: 2 }, [1, 2]],
    ['every', { every: 3 }, [3, 6, 9]],
    ['all together', { skip: 2, every: 2, times: 2 }, [4, 6]],
    ['key query, each text for itself', { key: 'query', skip: 1 }, []],
  ] as const)('%s', async (_name, selection, failed) => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    const fault = proxied.proxy.addFault({ ...ERROR, ...selection })
    // What does not match is not counted.
    await client.run('SELECT 1')
    expect(await failures(client, 9)).toEqual(failed)
    expect(await noteIds(server())).toEqual(others(9, failed))
    expect(proxied.injected()).toEqual(failed.map(() => 'pg_error_downstream error'))
    expect(fault.injections).toBe(failed.length)
  })

  test('what a failed transaction refuses by itself (25P02) is not counted', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...ERROR, times: 2 })
    await client.run('BEGIN')
    expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe(INJECTED)
    for (let again = 0; again < 3; again++) {
      expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe('25P02')
    }
    await client.run('ROLLBACK')
    expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe(INJECTED)
    expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe('none')
    expect(proxied.injected()).toHaveLength(2)
    expect(await noteIds(server())).toEqual([1])
  })

  test('neither in what the client itself has made fail, nor by skip', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...ERROR, skip: 1 })
    await client.run('BEGIN')
    expect(await codeOf(client.run('SELECT 1 / 0'))).toBe('22012')
    expect(await codeOf(client.run('INSERT INTO notes VALUES (1)'))).toBe('25P02')
    await client.run('ROLLBACK')
    expect(await failures(client, 3)).toEqual([2, 3])
  })

  test('key: query counts each text by itself', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await connect(proxied)
    proxied.proxy.addFault({ ...ERROR, key: 'query', skip: 1, times: 1 })
    const texts = ['INSERT INTO notes SELECT max(id) + 1 FROM notes', 'INSERT INTO notes SELECT max(id) + 2 FROM notes']
    await server().query('INSERT INTO notes VALUES (0)')
    const codes: string[] = []
    for (let round = 0; round < 3; round++) for (const text of texts) codes.push(await codeOf(client.run(text)))
    expect(codes).toEqual(['none', 'none', INJECTED, INJECTED, 'none', 'none'])
    expect(proxied.injected()).toHaveLength(2)
  })
})

test.each([
  ['user', { user: 'ann' }, { user: 'bob' }],
  ['applicationName', { application_name: 'shop' }, { application_name: 'report' }],
  ['database', { database: 'postgres' }, { database: 'other' }],
] as const)('key: %s', async (key, one, two) => {
  const [exists] = await server().query(`SELECT FROM pg_database WHERE datname = 'other'`)
  if (!exists) await server().query('CREATE DATABASE other')
  await using proxied = await startPostgresProxied(server(), [
    { type: 'pg_error', attributes: { code: INJECTED }, match: { query: 'count me' }, key, skip: 1, times: 1 },
  ])
  const clients = [await proxied.pg(one), await proxied.pg(one), await proxied.pg(two)]
  const codes: string[] = []
  for (let round = 0; round < 2; round++) {
    for (const client of clients) codes.push(await codeOf(client.query('SELECT 1 AS "count me"')))
  }
  // Counted over all connections of one value: the second of the first two, and the second of the third.
  expect(codes).toEqual(['none', INJECTED, 'none', 'none', 'none', INJECTED])
})

describe('times holds over all connections', () => {
  test('of many at once exactly so many fail', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...ERROR, times: 7 }])
    const clients = await Promise.all([1, 2, 3, 4].map(() => proxied.pg()))
    const codes: string[] = []
    const work = clients.map(async (client, number) => {
      for (let id = number; id < 40; id += clients.length) {
        codes.push(await codeOf(client.query('INSERT INTO notes VALUES ($1)', [id])))
      }
    })
    await Promise.all(work)
    expect(codes.filter((code) => code === INJECTED)).toHaveLength(7)
    expect(await noteIds(server())).toHaveLength(33)
    expect(proxied.injected()).toHaveLength(7)
  })

  test('one that was to fail and failed by itself before does not use it up', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...ERROR, times: 1 }])
    await using client = await proxied.raw()
    const missing = [parse('INSERT INTO missing VALUES (1)'), bind(), execute(), sync()]
    expect(shape(await client.ask(missing))).toBe('E(42P01) Z(I)')
    // In a pipeline what is skipped after an error is not counted either.
    const good = [parse('INSERT INTO notes VALUES (1)'), bind(), execute()]
    expect(shape(await client.ask([...missing.slice(0, 3), ...good, sync()]))).toBe('E(42P01) Z(I)')
    expect(proxied.injected()).toEqual([])
    expect(shape(await client.ask([...good, sync()]))).toBe('1 2 E(40001) Z(I)')
    expect(shape(await client.ask([...good, sync()]))).toBe('1 2 C Z(I)')
    expect(proxied.injected()).toHaveLength(1)
  })
})

function insert(id: number): string {
  return `INSERT INTO notes VALUES (${id})`
}

test('each statement of a query and of a pipeline counts by itself', async () => {
  await using proxied = await startPostgresProxied(server(), [{ ...ERROR, every: 2 }])
  await using client = await proxied.raw()
  // The second fails, the third is not run.
  expect(shape(await client.query(`${insert(1)}; ${insert(2)}; ${insert(3)}`))).toBe('C E(40001) Z(I)')
  expect(await noteIds(server())).toEqual([])
  const step = (id: number): Buffer[] => [parse(insert(id)), bind(), execute()]
  const seen = shape(await client.ask([...step(4), sync(), ...step(5), sync(), query(insert(6))], 3))
  expect(seen).toMatch(
    /^(1 2 C Z\(I\) 1 2 E\(40001\) Z\(I\) C Z\(I\)|1 2 E\(40001\) Z\(I\) 1 2 C Z\(I\) E\(40001\) Z\(I\))$/,
  )
})

async function run(seed: number): Promise<number[]> {
  await createNotes(server())
  await using proxied = await startPostgresProxied(server(), [{ ...ERROR, probability: 0.3 }], { seed })
  const client = await proxied.pg()
  const failed = await failures({ run: async (sql) => (await client.query(sql)).rows }, 200)
  expect(proxied.injected()).toHaveLength(failed.length)
  expect(await noteIds(server())).toEqual(others(200, failed))
  return failed
}

describe('probability', () => {
  test('is drawn by the seed: the same statements fail again, others with another one', async () => {
    const first = await run(1)
    // 60 expected, standard deviation 6.5: five of them on each side are once in a million seeds.
    expect(first.length).toBeGreaterThan(60 - 33)
    expect(first.length).toBeLessThan(60 + 33)
    expect(await run(1)).toEqual(first)
    expect(await run(2)).not.toEqual(first)
  })

  test('0 never acts, and what is changed while connected holds at once', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...ERROR, probability: 0 }])
    const client = await proxied.pg()
    const runner = { run: async (sql: string) => (await client.query(sql)).rows }
    expect(await failures(runner, 20)).toEqual([])
    proxied.proxy.updateFault('pg_error_downstream', { probability: 1, times: 1 })
    expect(await failures(runner, 3, 21)).toEqual([21])
    proxied.proxy.removeAllFaults()
    expect(await failures(runner, 3, 31)).toEqual([])
  })
})
