// Faults that end by themselves, on the real clock: soon after their time, and also when their holder is killed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { serveFeed, type ServedFeed } from '../support/feed.ts'

const TTL_MS = 250

async function post(served: ServedFeed, path: string, body: object): Promise<any> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(served.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  return answer.json()
}

async function serveProxy(): Promise<ServedFeed> {
  const served = await serveFeed()
  await post(served, '/v1/proxies', { name: 'p', upstream: '127.0.0.1:1' })
  return served
}

const IS_LONG = Boolean(process.env['FAULTLINE_LONG'])

/** The median; beside other tests, which have the machine's cores at times, the best. None may be early. */
function expectOnTime(latenesses: readonly number[]): void {
  const sorted = latenesses.toSorted((one, other) => one - other)
  // Its time begins a moment before the event that tells of it; others may have the core in between.
  expect(sorted[0]).toBeGreaterThanOrEqual(-25)
  expect(sorted[IS_LONG ? Math.floor(sorted.length / 2) : 0]).toBeLessThan(50)
}

test('a fault with a time to live ends within 50 ms of its time, and the feed tells', async () => {
  await using served = await serveProxy()
  const reader = await served.events('/v1/events?types=fault_added,fault_removed')
  const count = 20
  for (let i = 0; i < count; i++) {
    await post(served, '/v1/faults', { proxy: 'p', type: 'noop', name: `n${i}`, ttlMs: TTL_MS })
  }
  const events = await reader.until(2 * count)
  const timeOf = (type: string, id: string): number =>
    events.find((event) => event.type === type && event.detail.id === id).timeMs
  const removed = events.filter(({ type }) => type === 'fault_removed')
  expect(removed.every(({ detail }) => detail.reason === 'expired')).toBe(true)
  const ids = removed.map(({ detail }) => String(detail.id))
  expectOnTime(ids.map((id) => timeOf('fault_removed', id) - timeOf('fault_added', id) - TTL_MS))
  reader.close()
})

test('what a lease holds ends within 50 ms of its time', async () => {
  await using served = await serveProxy()
  const reader = await served.events('/v1/events?types=lease_created,lease_ended,fault_removed')
  const count = 10
  for (let i = 0; i < count; i++) {
    const { id: lease } = await post(served, '/v1/leases', { ttlMs: TTL_MS })
    await post(served, '/v1/faults', { proxy: 'p', type: 'noop', name: `n${i}`, lease })
  }
  const events = await reader.until(3 * count)
  const timesOf = (type: string): number[] => events.filter((event) => event.type === type).map(({ timeMs }) => timeMs)
  const created = timesOf('lease_created')
  expectOnTime(timesOf('lease_ended').map((timeMs, index) => timeMs - (created[index] ?? 0) - TTL_MS))
  expect(events.filter(({ detail }) => detail.reason === 'lease')).toHaveLength(count)
  reader.close()
})

/** Holds a fault by a lease, and says so each time that it has renewed it. */
const HOLDER = `
const call = async (path, body) => {
  const headers = body ? { 'content-type': 'application/json' } : {}
  const answer = await fetch(process.argv[1] + path, { method: 'POST', headers, body: body && JSON.stringify(body) })
  return answer.json()
}
const lease = await call('/v1/leases', { ttlMs: 500 })
await call('/v1/faults', { proxy: 'p', type: 'stall', lease: lease.id })
for (;;) {
  await new Promise((resolve) => setTimeout(resolve, 100))
  await call('/v1/leases/' + lease.id + '/renew')
  console.log('renewed')
}
`

test('a client that is killed loses its faults in time, and not before', async () => {
  await using served = await serveProxy()
  const reader = await served.events('/v1/events?types=lease_ended,fault_removed')
  const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, served.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(holder, 'exit')
  let renewals = 0
  for await (const line of createInterface(holder.stdout)) {
    // Longer than the lease lasts without being renewed.
    if (line === 'renewed' && ++renewals === 8) break
  }
  expect((await served.get('/v1/faults')).faults).toHaveLength(1)
  expect(reader.events).toEqual([])
  const killedMs = performance.timeOrigin + performance.now()
  holder.kill('SIGKILL')
  await exited
  const [removed, ended] = await reader.until(2)
  expect([removed.type, removed.detail.reason]).toEqual(['fault_removed', 'lease'])
  expect([ended.type, ended.detail.reason]).toEqual(['lease_ended', 'expired'])
  // At most a whole lease after the last renewal, which was before the kill; 200 ms for a busy machine.
  expect(ended.timeMs - killedMs).toBeLessThan(500 + 200)
  expect((await served.get('/v1/faults')).faults).toEqual([])
  reader.close()
})
