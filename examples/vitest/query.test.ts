// Each test has a network of its own, so they may run at the same time.
import { latency, postgres } from 'faultline'
import { expect, test as base } from 'faultline/vitest'
import { query } from './query.ts'

const upstream = process.env['DATABASE_URL'] ?? 'postgres://postgres@localhost:5432/postgres'

const test = base.extend('db', ({ network }) => network.proxy('db', { upstream, protocol: 'postgres' }))

test.concurrent('a slow database times out', async ({ db }) => {
  await using _ = await db.inject(latency({ latency: 500 }), { direction: 'downstream' })
  await expect(query(db.url)).rejects.toThrow('timeout')
  expect(db).toHaveInjected('latency')
})

test.concurrent('a database that is well answers', async ({ db }) => {
  expect(await query(db.url)).toBe('here I am')
  expect(db).not.toHaveInjected()
})

test.concurrent('an error of the database is not hidden', async ({ db }) => {
  const fault = await db.inject(postgres.error({ query: /^SELECT/, code: 'query_canceled' }), { times: 1 })
  await expect(query(db.url)).rejects.toMatchObject({ code: '57014' })
  expect(fault.injections).toHaveLength(1)
  expect(await query(db.url)).toBe('here I am')
})
