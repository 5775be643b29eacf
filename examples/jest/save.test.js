// CommonJS. The same as an ES module: save.test.mjs
const { Client } = require('pg')
const { setupNetwork, postgres } = require('faultline/jest')
const { save } = require('./save.js')

const upstream = process.env.DATABASE_URL ?? 'postgres://postgres@localhost:5432/postgres'

const network = setupNetwork()
beforeAll(() => network.listen())
afterEach(() => network.reset())
afterAll(() => network.close())

const direct = new Client({ connectionString: upstream })
beforeAll(async () => {
  await direct.connect()
  await direct.query('CREATE TABLE IF NOT EXISTS faultline_example_notes (text text)')
})
beforeEach(() => direct.query('TRUNCATE faultline_example_notes'))
afterAll(() => direct.end())

it('retries a serialization failure', async () => {
  const db = await network.proxy('db', { upstream, protocol: 'postgres' })
  const fault = await db.inject(postgres.error({ query: /^INSERT/i, code: '40001' }), { times: 2 })
  await save(db.url, 'milk')
  expect(fault.injections).toHaveLength(2)
  const { rows } = await direct.query('SELECT text FROM faultline_example_notes')
  expect(rows).toEqual([{ text: 'milk' }])
})

it('gives up in the end', async () => {
  const db = await network.proxy('db', { upstream, protocol: 'postgres' })
  await db.inject(postgres.error({ query: /^INSERT/i, code: '40001' }))
  await expect(save(db.url, 'milk')).rejects.toMatchObject({ code: '40001' })
  expect(db).toHaveInjected({ type: 'pg_error', times: 5 })
})
