// The wall clock of a machine may jump, e.g. when it is set. Times to live and leases go by another one.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { LongRunning, parseLog, ROOT } from '../cli/support.ts'

const TTL_MS = 3000

/** The server, with a wall clock that jumps by so many hours when it is told to on SIGUSR2: forward, then back. */
const PROGRAM = `
const { run } = await import(${JSON.stringify(pathToFileURL(join(ROOT, 'dist/esm/cli/run.js')).href)})
const now = Date.now
let shiftMs = 0
Date.now = () => now() + shiftMs
const jumps = [6, -12]
process.on('SIGUSR2', () => {
  shiftMs += jumps.shift() * 3_600_000
  console.log(JSON.stringify({ msg: 'jumped', toMs: Date.now() }))
})
process.exitCode = await run(['serve', '--port', '0'], process)
`

test('faults and leases end in their time, neither early nor late, whatever the wall clock does', async () => {
  await using server = LongRunning.script(PROGRAM)
  const { port } = parseLog(await server.line((line) => parseLog(line).msg === 'faultline started'))
  const api = async (path: string, body?: object): Promise<any> => {
    const headers = { 'content-type': 'application/json' }
    const request = body ? { method: 'POST', headers, body: JSON.stringify(body) } : {}
    return (await fetch(`http://127.0.0.1:${String(port)}${path}`, request)).json()
  }
  const present = async (): Promise<string[]> => {
    const [{ faults }, { leases }] = await Promise.all([api('/v1/faults'), api('/v1/leases')])
    return [...faults.map(({ name }: { name: string }) => name), ...leases.map(() => 'lease')]
  }
  const jump = async (count: number): Promise<void> => {
    server.signal('SIGUSR2')
    await expect.poll(() => server.lines.filter((line) => line.includes('"jumped"')).length).toBe(count)
  }

  await api('/v1/proxies', { name: 'p', upstream: '127.0.0.1:1' })
  const beganMs = performance.now()
  const lease = await api('/v1/leases', { ttlMs: TTL_MS })
  await api('/v1/faults', { proxy: 'p', type: 'noop', name: 'timed', ttlMs: TTL_MS })
  await api('/v1/faults', { proxy: 'p', type: 'noop', name: 'held', lease: lease.id })
  const madeMs = performance.now()
  await jump(1)
  const [fault] = (await api('/v1/faults')).faults
  expect(await present()).toEqual(['timed', 'held', 'lease'])
  expect(fault.remainingMs).toBeGreaterThan(0)
  expect(fault.remainingMs).toBeLessThanOrEqual(TTL_MS)
  await jump(2)
  await expect.poll(present, { timeout: 10_000, interval: 50 }).toEqual([])
  const endedMs = performance.now()
  // Not before the time that the last of them had; and not hours later: a busy machine may take a while to say so.
  expect(endedMs - beganMs).toBeGreaterThan(TTL_MS)
  expect(endedMs - madeMs).toBeLessThan(TTL_MS + 2000)

  const { events } = await api('/v1/events?types=fault_removed,lease_ended')
  const reasons = events.map(({ detail }: any) => [detail.fault ?? 'lease', detail.reason])
  expect(new Map(reasons)).toEqual(
    new Map([
      ['timed', 'expired'],
      ['held', 'lease'],
      ['lease', 'expired'],
    ]),
  )
})
