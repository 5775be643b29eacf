// pg_read_only: connections of a server that has become a replica, and that becomes a primary again.
import { execFile } from 'node:child_process'
import { beforeEach, describe, expect, test } from 'vitest'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import {
  bind,
  describe as describeMessage,
  execute,
  flush,
  parse,
  query,
  sync,
} from '../../../support/postgres-frontend.ts'
import {
  codeOf,
  createNotes,
  hasProgram,
  noteIds,
  startPostgresProxied,
  ways,
} from '../../../support/postgres-faults.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests({ users: [{ name: 'ann' }] })
const READ_ONLY = { type: 'pg_read_only' }

beforeEach(() => createNotes(server()))

test.each(Object.entries(ways))('%s: an open connection turns read-only, and back', async (_way, connect) => {
  await using proxied = await startPostgresProxied(server())
  const client = await connect(proxied)
  await client.run('INSERT INTO notes VALUES (1)')

  const { name } = proxied.proxy.addFault(READ_ONLY)
  expect(await codeOf(client.run('INSERT INTO notes VALUES (2)'))).toBe('25006')
  expect(await client.run('SELECT count(*)::int AS count FROM notes')).toEqual([{ count: 1 }])

  proxied.proxy.removeFault(name)
  await client.run('INSERT INTO notes VALUES (3)')
  expect(await noteIds(server())).toEqual([1, 3])
  expect(proxied.injected()).toEqual(['pg_read_only_downstream read_only'])
})

test('the client hears of nothing but what a replica would say, byte for byte', async () => {
  await using proxied = await startPostgresProxied(server())
  await using through = await proxied.raw()
  await using direct = await PostgresConversation.connect(server().connectionOptions)
  await direct.query('SET default_transaction_read_only = on')
  proxied.proxy.addFault(READ_ONLY)
  const statements = [
    [query('INSERT INTO notes VALUES (2)')],
    [query('SELECT 1; UPDATE notes SET id = 3')],
    [parse('DELETE FROM notes WHERE id = $1'), bind([1]), execute(), sync()],
    [query('BEGIN')],
    [query('CREATE TABLE other ()')],
    [query('COMMIT')],
    [query('SELECT count(*) FROM notes')],
  ]
  for (const statement of statements) {
    const expected = await direct.ask(statement)
    const heard = await through.ask(statement)
    // What comes by itself has nothing to do with the statement: the setting has changed.
    const said = heard.filter(({ type }) => type !== 'S')
    expect(said.map(({ bytes }) => bytes.toString('latin1'))).toEqual(
      expected.map(({ bytes }) => bytes.toString('latin1')),
    )
  }
})

describe('in a transaction', () => {
  test('what has begun before may go on writing; the next one may not', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await proxied.pg()
    await client.query('BEGIN')
    proxied.proxy.addFault(READ_ONLY)
    await client.query('INSERT INTO notes VALUES (1)')
    await client.query('COMMIT')
    expect(proxied.injected()).toEqual(['pg_read_only_downstream read_only'])
    expect(await noteIds(server())).toEqual([1])

    await client.query('BEGIN')
    expect(await codeOf(client.query('INSERT INTO notes VALUES (2)'))).toBe('25006')
    await client.query('ROLLBACK')
  })

  test('a read-only one stays so to its end when the fault is removed; the next one may write', async () => {
    await using proxied = await startPostgresProxied(server(), [READ_ONLY])
    const client = await proxied.pg()
    await client.query('BEGIN')
    proxied.proxy.removeAllFaults()
    expect(await codeOf(client.query('INSERT INTO notes VALUES (1)'))).toBe('25006')
    await client.query('ROLLBACK')
    await client.query('BEGIN; INSERT INTO notes VALUES (2); COMMIT')
    expect(await noteIds(server())).toEqual([2])
  })

  test('a fault that was removed before the transaction ended has never been there', async () => {
    await using proxied = await startPostgresProxied(server())
    const client = await proxied.pg()
    await client.query('BEGIN')
    const { name } = proxied.proxy.addFault(READ_ONLY)
    proxied.proxy.removeFault(name)
    await client.query('COMMIT')
    await client.query('INSERT INTO notes VALUES (1)')
    expect(proxied.injected()).toEqual([])
  })
})

test('does not come between the messages of a client that has not said Sync yet', async () => {
  await using proxied = await startPostgresProxied(server())
  await using client = await proxied.raw()
  client.forget()
  const insert = 'INSERT INTO notes VALUES ($1)'
  client.send(parse(insert), describeMessage('S'), flush())
  await client.untilCount(3)
  proxied.proxy.addFault(READ_ONLY)
  client.send(bind([1]), execute(), sync())
  await client.untilReady()
  // The setting is reported when it has changed, which may be by now.
  expect(shape(client.messages.filter(({ type }) => type !== 'S'))).toBe('1 t n 2 C Z(I)')
  await proxied.untilInjected(1)
  expect(shape(await client.ask([parse(insert), bind([2]), execute(), sync()]))).toContain('E(25006)')
})

describe('new connections', () => {
  test('are told before they may ask anything', async () => {
    await using proxied = await startPostgresProxied(server(), [READ_ONLY])
    await using client = await proxied.raw()
    const said = transcript(client.messages).filter((line) => !line.startsWith('S') || line.includes('read_only'))
    expect(said).toEqual([
      'R Ok',
      'S default_transaction_read_only=off',
      'K 4-byte key',
      'S default_transaction_read_only=on',
      'Z I',
    ])
    client.forget()
    expect(shape(await client.query('INSERT INTO notes VALUES (1)'))).toBe('E(25006) Z(I)')
    expect(proxied.injected()).toEqual(['pg_read_only_downstream read_only'])
  })

  test('only those that match, and only some with a probability', async () => {
    await using proxied = await startPostgresProxied(server(), [{ ...READ_ONLY, match: { user: 'ann' } }])
    const postgres = await proxied.pg()
    await postgres.query('INSERT INTO notes VALUES (1)')
    const ann = await proxied.pg({ user: 'ann' })
    expect((await ann.query('SHOW transaction_read_only')).rows).toEqual([{ transaction_read_only: 'on' }])

    proxied.proxy.removeAllFaults()
    proxied.proxy.addFault({ ...READ_ONLY, every: 2 })
    const answers = []
    for (let index = 0; index < 4; index++) {
      const client = await proxied.pg()
      answers.push((await client.query('SHOW transaction_read_only')).rows[0].transaction_read_only)
    }
    // The two that are open count as the first and the second.
    expect(answers).toEqual(['off', 'on', 'off', 'on'])
  })
})

test('two faults at a time: it takes the removal of both', async () => {
  await using proxied = await startPostgresProxied(server(), [{ ...READ_ONLY, name: 'one' }])
  const client = await proxied.pg()
  proxied.proxy.addFault({ ...READ_ONLY, name: 'two' })
  expect(await codeOf(client.query('INSERT INTO notes VALUES (1)'))).toBe('25006')
  proxied.proxy.removeFault('one')
  expect(await codeOf(client.query('INSERT INTO notes VALUES (1)'))).toBe('25006')
  proxied.proxy.removeFault('two')
  await client.query('INSERT INTO notes VALUES (1)')
})

/** What psql prints, or the error that it ends with. */
function psql(port: number, attributes: string): Promise<string> {
  const target = `host=127.0.0.1 port=${port} user=postgres dbname=postgres target_session_attrs=${attributes}`
  return new Promise((resolve) => {
    execFile('psql', ['-XAtc', 'SELECT 42', target], (_error, out, problem) => resolve(out + problem))
  })
}

describe.skipIf(!hasProgram('psql'))('target_session_attrs of libpq', () => {
  test('read-write refuses such a server, read-only looks for it', async () => {
    await using proxied = await startPostgresProxied(server(), [READ_ONLY])
    const { port } = proxied
    expect(await psql(port, 'read-write')).toContain('session is read-only')
    expect(await psql(port, 'read-only')).toBe('42\n')
    expect(await psql(port, 'any')).toBe('42\n')

    proxied.proxy.removeAllFaults()
    expect(await psql(port, 'read-write')).toBe('42\n')
    expect(await psql(port, 'read-only')).toContain('session is not read-only')
  })
})
