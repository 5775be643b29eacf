// The support for tests itself: a server that starts, keeps its promises and is gone afterwards.
import { existsSync } from 'node:fs'
import pg from 'pg'
import { expect, test } from 'vitest'
import { shape, transcript } from '../../../support/postgres-backend.ts'
import { cancel, PostgresConversation } from '../../../support/postgres-conversation.ts'
import { bind, describe, execute, parse, query, sync } from '../../../support/postgres-frontend.ts'
import { postgresCertificate, postgresForTests, startPostgres } from '../../../support/postgres.ts'
import { RawSocket } from '../../../support/sockets.ts'

const server = postgresForTests({
  ssl: true,
  settings: { log_statement: 'all' },
  users: [{ name: 'ann', password: 'secret' }, { name: 'bob' }, { name: 'chief', superuser: true }],
  hba: ['host all ann all scram-sha-256'],
})

test('a stopped server answers no more, and its data is deleted', async () => {
  const stopped = await startPostgres()
  const [row] = await stopped.query<{ data_directory: string }>('SHOW data_directory')
  expect(existsSync(row!.data_directory)).toBe(true)

  await stopped.stop()

  await expect(RawSocket.connect(stopped.port)).rejects.toThrow('ECONNREFUSED')
  expect(existsSync(row!.data_directory)).toBe(false)
})

test('servers start beside each other, each with its own data', async () => {
  const servers = await Promise.all([startPostgres(), startPostgres()])
  await servers[0].query('CREATE TABLE here ()')
  const found = await servers[1].query(`SELECT FROM pg_class WHERE relname = 'here'`)
  await Promise.all(servers.map((each) => each.stop()))
  expect(found).toEqual([])
  expect(servers[0].port).not.toBe(servers[1].port)
})

test('a setting that is wrong fails with what the server says about it', async () => {
  await expect(startPostgres({ settings: { no_such_setting: '1' } })).rejects.toThrow('no_such_setting')
})

test('the direct connection comes back after the server has ended it', async () => {
  const [row] = await server().query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
  const second = await server().connect()
  await second.query('SELECT pg_terminate_backend($1, 5000)', [row!.pid])
  await second.end()
  expect(await server().query('SELECT 1 AS one')).toEqual([{ one: 1 }])
})

async function isSuperuser(user: string): Promise<unknown> {
  const client = await server().connect({ user })
  const { rows } = await client.query<{ is_superuser: string }>('SHOW is_superuser')
  await client.end()
  return rows[0]?.is_superuser
}

test('users are ordinary users, unless they are to be superusers', async () => {
  expect(await isSuperuser('bob')).toBe('off')
  expect(await isSuperuser('chief')).toBe('on')
})

test('statements are found in the log of the server', async () => {
  await server().query(`SELECT 'to be found'`)
  // The log goes through a pipe, so it can come after the answer.
  await expect.poll(() => server().log.join('\n')).toContain(`SELECT 'to be found'`)
})

test('TLS is accepted, with a certificate that clients can verify', async () => {
  const tls = { ca: postgresCertificate.cert, servername: 'localhost' }
  const client = new pg.Client({ ...server().connectionOptions, user: 'bob', ssl: tls })
  await client.connect()
  const { rows } = await client.query('SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()')
  await client.end()
  expect(rows).toEqual([{ ssl: true }])

  await using conversation = await PostgresConversation.connect({ port: server().port, user: 'bob', tls })
  expect(transcript(await conversation.query('SELECT 1'))).toContain('D 1')
})

test('a conversation writes down every message', async () => {
  await using client = await PostgresConversation.connect({ port: server().port, user: 'bob' })
  client.forget()
  await client.query(`SELECT 1 AS one, NULL AS none; SELECT 'á'`)
  await client.ask([parse('SELECT $1::int'), bind([5]), describe(), execute(), sync()])
  await client.ask([query('SELECT'), query('SELEC')], 2)
  expect(transcript(client.messages)).toEqual([
    'T one,none',
    'D 1,NULL',
    'C SELECT 1',
    'T ?column?',
    'D á',
    'C SELECT 1',
    'Z I',
    '1',
    '2',
    'T int4',
    'D 5',
    'C SELECT 1',
    'Z I',
    'T',
    'D',
    'C SELECT 1',
    'Z I',
    'E 42601 ERROR syntax error at or near "SELEC"',
    'Z I',
  ])
  expect(shape(client.messages.slice(-3))).toBe('Z(I) E(42601) Z(I)')
  expect(client.messages.at(-2)?.fields).toMatchObject({ severity: 'ERROR', position: '1', routine: 'scanner_yyerror' })
})

test('a conversation logs in by SCRAM, and knows how its end came', async () => {
  await using client = await PostgresConversation.connect({ port: server().port, user: 'ann', password: 'secret' })
  expect(transcript(client.messages).slice(0, 4)).toEqual([
    'R SASL SCRAM-SHA-256',
    'R SASLContinue',
    'R SASLFinal',
    'R Ok',
  ])
  await client.leave()
  expect(client.ending).toBe('FIN')
})

test('a conversation can be cancelled, with the short key of 3.0 and the long one of 3.2', async () => {
  for (const version of [0x0003_0000, 0x0003_0002]) {
    await using client = await PostgresConversation.connect({ port: server().port, user: 'bob', version })
    expect(client.cancelKey).toHaveLength(version === 0x0003_0000 ? 4 : 32)
    client.forget()
    client.send(query('SELECT pg_sleep(60)'))
    // A cancel that comes before the statement is ignored.
    await expect
      .poll(() =>
        server().query(`SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'`, [client.processId]),
      )
      .toHaveLength(1)
    await cancel(server().port, client)
    await client.untilReady()
    expect(shape(client.messages)).toBe('T E(57014) Z(I)')
  }
})
