// What a changed configuration means for proxies that the API has changed meanwhile.
import { expect, test } from 'vitest'
import { mergeConfig } from '../../admin/config/merge.ts'
import type { FaultSpec, ProxySpec } from '../../proxy/index.ts'

const slow = (latency: number): FaultSpec => ({ type: 'latency', name: 'slow', attributes: { latency } })
const noop: FaultSpec = { type: 'noop', name: 'noop' }

function proxy(name: string, fields: Partial<ProxySpec> = {}): ProxySpec {
  return { name, listen: '127.0.0.1:0', upstream: 'x:1', faults: [], ...fields }
}

/** As the server shows a proxy that was made from a file: with its port and all defaults. */
function live(spec: ProxySpec): ProxySpec {
  return { protocol: 'tcp', enabled: true, ...spec, listen: '127.0.0.1:50000' }
}

test('what the file says as before stays as it is now, as the same object', () => {
  const file = [proxy('a', { faults: [slow(5)] })]
  const now = [live(proxy('a', { upstream: 'y:1', enabled: false, faults: [slow(500), noop] })), live(proxy('api'))]
  const merged = mergeConfig(file, structuredClone(file), now)
  expect(merged[0]).toBe(now[0])
  expect(merged[1]).toBe(now[1])
  expect(merged).toHaveLength(2)
})

test('a field that the file changes holds, and no other of its proxy', () => {
  const now = [live(proxy('a', { upstream: 'by-api:1', enabled: false }))]
  const merged = mergeConfig([proxy('a')], [proxy('a', { from: 'web' })], now)
  expect(merged).toEqual([{ ...now[0], from: 'web' }])
})

test('a field that the file does not have any more has its default', () => {
  const merged = mergeConfig([proxy('a', { enabled: false })], [proxy('a')], [live(proxy('a', { enabled: false }))])
  expect(merged[0]).not.toHaveProperty('enabled')
})

test('proxies come and go with the file; those of the API stay', () => {
  const now = [live(proxy('old')), live(proxy('api'))]
  const merged = mergeConfig([proxy('old')], [proxy('new')], now)
  expect(merged.map(({ name }) => name)).toEqual(['api', 'new'])
  expect(merged[0]).toBe(now[1])
})

test('what the API has removed does not come back until the file says something else of it', () => {
  const before = [proxy('a'), proxy('b', { faults: [slow(5), noop] })]
  const now = [live(proxy('b'))]
  expect(mergeConfig(before, structuredClone(before), now)[0]).toBe(now[0])
  const after = [proxy('a', { upstream: 'y:1' }), proxy('b', { faults: [slow(6), noop] })]
  const merged = mergeConfig(before, after, now)
  expect(merged.map(({ name }) => name)).toEqual(['b', 'a'])
  expect(merged[0]?.faults).toEqual([slow(6)])
})

test('a changed fault is taken as a whole from the file; the others on its proxy are the same objects', () => {
  const now = [live(proxy('a', { faults: [{ ...slow(500), probability: 0.5 }, noop] }))]
  const merged = mergeConfig([proxy('a', { faults: [slow(5)] })], [proxy('a', { faults: [slow(6)] })], now)
  expect(merged[0]?.faults).toEqual([slow(6), noop])
  expect(merged[0]?.faults?.[1]).toBe(now[0]?.faults?.[1])
})

test('a name that the file begins to use is its own from then on', () => {
  const now = [live(proxy('a', { upstream: 'by-api:1', faults: [noop] }))]
  const after = [proxy('a', { faults: [slow(5)] })]
  expect(mergeConfig([], after, now)).toEqual(after)
})
