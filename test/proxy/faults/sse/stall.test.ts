import { expect, test } from 'vitest'
import { ManualClock, type FaultSpec } from '../../../../proxy/index.ts'
import { startSse } from '../../../support/sse-proxied.ts'
import { acts, heldBytes, observe, untilInjection, untilTrue } from '../../../support/stream-faults.ts'

const stall = (attributes: Record<string, number> = {}, more: Partial<FaultSpec> = {}): FaultSpec => ({
  type: 'sse_stall',
  name: 'stalled',
  attributes,
  ...more,
})

test.concurrent('keeps what is behind the first events until it is removed: nothing is lost', async () => {
  await using sse = await startSse([stall({ afterEvents: 2 })])
  const stream = await sse.open()
  stream.send('1', '2', '3')
  stream.response.write(': comment\n\n')
  stream.send('4')
  await untilInjection(sse.network, { action: 'stall' })
  await observe(50)
  expect(stream.text).toBe('data: 1\n\ndata: 2\n\n')
  stream.response.end()
  sse.proxy.removeFault('stalled')
  expect(await stream.untilEnded()).toBe('end')
  expect(stream.text).toBe('data: 1\n\ndata: 2\n\ndata: 3\n\n: comment\n\ndata: 4\n\n')
  expect(acts(sse.network)).toEqual([
    { action: 'stall', detail: { request: 1, method: 'GET', path: '/events', status: 200, afterEvents: 2 } },
  ])
})

test.concurrent('goes on by itself after its duration, counted from the first event that it keeps', async () => {
  const clock = new ManualClock()
  await using sse = await startSse([stall({ afterEvents: 1, durationMs: 5000 })], { clock })
  const stream = await sse.open()
  stream.send('1')
  await stream.until('1')
  clock.advance(10_000)
  stream.send('2')
  await untilInjection(sse.network, { action: 'stall' })
  clock.advance(4000)
  const heldBefore = heldBytes(sse.proxy)
  stream.send('3')
  await untilTrue(() => heldBytes(sse.proxy) > heldBefore, 'the third event to be held')
  clock.advance(999)
  expect(stream.events).toEqual(['1'])
  clock.advance(1)
  await stream.until('3')
  stream.send('4')
  await stream.until('4')
  expect(stream.events).toEqual(['1', '2', '3', '4'])
  expect(heldBytes(sse.proxy)).toBe(0)
})

test.concurrent('stalls the end of a stream, too', async () => {
  const clock = new ManualClock()
  await using sse = await startSse([stall({ afterEvents: 1, durationMs: 1000 })], { clock })
  const stream = await sse.open()
  stream.send('1')
  stream.response.end()
  await untilInjection(sse.network, { action: 'stall' })
  await observe(50)
  expect([stream.events, stream.ending]).toEqual([['1'], 'open'])
  clock.advance(1000)
  expect(await stream.untilEnded()).toBe('end')
})

test.concurrent('added to a stream that is on its way, stalls it where it is; others are left alone', async () => {
  await using sse = await startSse()
  const [stream, other] = [await sse.open('/a'), await sse.open('/b')]
  stream.send('1')
  await stream.until('1')
  sse.proxy.addFault(stall({}, { match: { path: '/a' } }))
  stream.send('2')
  other.send('x')
  await untilInjection(sse.network, { action: 'stall' })
  await other.until('x')
  expect(stream.events).toEqual(['1'])
  sse.proxy.removeFault('stalled')
  stream.send('3')
  await stream.until('3')
  expect(stream.events).toEqual(['1', '2', '3'])
})

test.concurrent('counts the answers it acts on', async () => {
  await using sse = await startSse([stall({}, { skip: 1, times: 1 })])
  const streams = []
  for (const name of ['first', 'second', 'third']) {
    const stream = await sse.open()
    stream.send(name)
    if (name === 'second') await untilInjection(sse.network, { action: 'stall' })
    else await stream.until(name)
    streams.push(stream)
  }
  expect(streams.map(({ events }) => events)).toEqual([['first'], [], ['third']])
})

test.concurrent('leaves other answers alone', async () => {
  await using sse = await startSse([stall()])
  const stream = await sse.open('/', { 'Content-Type': 'application/json' })
  stream.response.end('{}')
  expect(await stream.untilEnded()).toBe('end')
  expect(stream.text).toBe('{}')
})

test('slows the server down when it holds as much as it may; then everything arrives', async () => {
  await using sse = await startSse([stall()])
  const stream = await sse.open()
  const long = 'x'.repeat(10_000)
  // Far more than what the kernel's buffers between server and proxy take.
  const count = 2000
  for (let index = 0; index < count; index++) stream.response.write(`data: ${index} ${long}\n\n`)
  await untilTrue(() => sse.proxy.counters.heldLimitsReached > 0, 'the limit to be reached')
  const { receivedBytes } = sse.proxy.traffic.downstream
  await observe(100)
  expect(sse.proxy.traffic.downstream.receivedBytes).toBe(receivedBytes)
  // One MiB for a stage in an answer, with one read of 256 KiB more at most and what is counted for each chunk.
  expect(heldBytes(sse.proxy)).toBeLessThan(1_048_576 + 300_000)
  stream.response.end()
  sse.proxy.removeFault('stalled')
  expect(await stream.untilEnded()).toBe('end')
  expect(stream.events.map((event) => event.split(' ')[0])).toEqual(Array.from({ length: count }, (_, n) => String(n)))
  expect(stream.text).toHaveLength(stream.events.reduce((sum, event) => sum + event.length + 8, 0))
})

test.each([
  ['sse_stall', { afterEvents: -1 }, 'attributes.afterEvents'],
  ['sse_stall', { durationMs: 0.5 }, 'attributes.durationMs'],
  ['sse_drop', { count: -1 }, 'attributes.count'],
  ['sse_drop', { durationMs: 1 }, 'attributes.durationMs'],
])('%s refuses what can not work, naming the field: %j', async (type, attributes, field) => {
  await using sse = await startSse()
  expect(() => sse.proxy.addFault({ type, attributes })).toThrow(expect.objectContaining({ field }))
})
