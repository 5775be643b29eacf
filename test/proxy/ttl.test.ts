import { expect, test } from 'vitest'
import { ManualClock } from '../../proxy/index.ts'
import { startProxied } from '../support/proxied.ts'

const names = (proxied: Awaited<ReturnType<typeof startProxied>>): string[] =>
  [...proxied.proxy.faults].map(({ name }) => name)

test('a fault with a time to live removes itself, and what it held passes', async () => {
  const clock = new ManualClock()
  await using proxied = await startProxied([], { clock })
  const { client, server } = await proxied.connect()
  proxied.proxy.addFault({ type: 'stall', name: 'short', direction: 'upstream', ttlMs: 1000 })
  proxied.proxy.addFault({ type: 'noop', name: 'long', ttlMs: 5000 })
  client.write('x')
  await expect(server.untilBytes(1, 60)).rejects.toThrow('waited')
  clock.advance(999)
  expect(names(proxied)).toEqual(['short', 'long'])
  clock.advance(1)
  expect(names(proxied)).toEqual(['long'])
  await server.untilBytes(1)
})

test('one that is removed before, and its successor of the same name, are left alone', async () => {
  const clock = new ManualClock()
  await using proxied = await startProxied([], { clock })
  proxied.proxy.addFault({ type: 'noop', name: 'n', ttlMs: 1000 })
  proxied.proxy.removeFault('n')
  proxied.proxy.addFault({ type: 'noop', name: 'n' })
  clock.advance(2000)
  expect(names(proxied)).toEqual(['n'])
})

test.each([0, -1, 1.5, 1e12])('%d milliseconds are refused', async (ttlMs) => {
  await using proxied = await startProxied()
  expect(() => proxied.proxy.addFault({ type: 'noop', ttlMs })).toThrow('ttlMs: expected an integer')
})
