// Corrupt on the wire, both ways: bits flip where the seed says, and nothing else changes.
import { describe, expect, test } from 'vitest'
import type { InjectionDetail } from '../../../proxy/index.ts'
import { IsolatedStage } from '../../support/isolated-stage.ts'
import { startProxied } from '../../support/proxied.ts'
import {
  acts,
  addUnchecked,
  connectEnds,
  directions,
  expectPattern,
  Flow,
  LagWatch,
  pattern,
  testProbability,
} from '../../support/stream-faults.ts'

describe.each(directions)('corrupt, %s', (direction) => {
  const name = `corrupt_${direction}`
  const flips = (rate: number) => ({ type: 'corrupt', direction, attributes: { rate } })

  test.concurrent('flips exactly the bits that are on record, and passes FIN on', async () => {
    await using proxied = await startProxied([flips(0.0001)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.end(pattern(0, 1_000_000))
    expect(await receiver.untilEnded()).toBe('FIN')
    const recorded = acts(proxied.network)
    // 100 are expected, with a deviation of 10; the seed is fixed.
    expect(recorded.length).toBeGreaterThan(60)
    expect(recorded.length).toBeLessThan(140)
    expectBytes(receiver.received, flipped(pattern(0, 1_000_000), recorded))
  })

  test.concurrent('flips the same bits of the same bytes behind a fault that cuts them differently', async () => {
    const received: Buffer[] = []
    for (const before of [
      [],
      [{ type: 'slicer', direction, attributes: { average_size: 700, size_variation: 600 } }],
    ]) {
      await using proxied = await startProxied([...before, flips(0.01)])
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.end(pattern(0, 300_000))
      expect(await receiver.untilEnded()).toBe('FIN')
      received.push(receiver.received)
    }
    const [whole, sliced] = received as [Buffer, Buffer]
    expect(whole.equals(pattern(0, 300_000))).toBe(false)
    expectBytes(sliced, whole)
  })

  test.concurrent('leaves the other direction as it is', async () => {
    await using proxied = await startProxied([flips(1)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    receiver.end(pattern(0, 100_000))
    expect(await sender.untilEnded()).toBe('FIN')
    expectPattern(sender, 100_000)
    expect(acts(proxied.network)).toEqual([])
  })

  test.concurrent('passes RST on', async () => {
    await using proxied = await startProxied([flips(1)])
    const { sender, receiver } = await connectEnds(proxied, direction)
    sender.reset()
    expect(await receiver.untilEnded()).toBe('ECONNRESET')
  })

  test.concurrent('flips other bits on another connection', async () => {
    await using proxied = await startProxied([flips(0.01)])
    const received: Buffer[] = []
    for (let connection = 0; connection < 2; connection++) {
      const { sender, receiver } = await connectEnds(proxied, direction)
      sender.end(pattern(0, 20_000))
      await receiver.untilEnded()
      received.push(receiver.received)
    }
    expect(received[0]?.equals(received[1] ?? Buffer.alloc(0))).toBe(false)
  })

  test.concurrent('added to and removed from a live connection, flips only in between and loses nothing', async () => {
    await using proxied = await startProxied()
    const { sender, receiver } = await connectEnds(proxied, direction)
    using flow = new Flow(sender)
    await receiver.untilBytes(5000)
    const fromByte = proxied.proxy.traffic[direction].receivedBytes
    proxied.proxy.addFault(flips(1))
    await receiver.untilBytes(fromByte + 5000)
    const toByte = proxied.proxy.traffic[direction].receivedBytes
    proxied.proxy.removeFault(name)
    await receiver.untilBytes(toByte + 5000)
    flow.stop()
    sender.end()
    expect(await receiver.untilEnded()).toBe('FIN')
    const different = differing(receiver.received, pattern(0, flow.sentBytes))
    // At a rate of 1 every byte in between, and no other.
    expect(different.length).toBe(toByte - fromByte)
    expect([different[0], different.at(-1)]).toEqual([fromByte, toByte - 1])
  })

  testProbability(flips(1), direction)

  test.concurrent.each([
    { rate: -1, share: 0 },
    { rate: -9e18, share: 0 },
    { rate: 9e18, share: 1 },
    { rate: 5e-324, share: 0 },
  ])('an absurd rate of $rate is one of $share', async ({ rate, share }) => {
    await using proxied = await startProxied()
    addUnchecked(proxied.proxy, 'corrupt', direction, { rate })
    const { sender, receiver } = await connectEnds(proxied, direction)
    using lag = new LagWatch()
    sender.end(pattern(0, 300_000))
    expect(await receiver.untilEnded()).toBe('FIN')
    expect(differing(receiver.received, pattern(0, 300_000)).length).toBe(share * 300_000)
    expect(lag.longestMs).toBeLessThan(LagWatch.LIMIT_MS)
  })
})

describe('corrupt, to the bit', () => {
  test('flips the same bits however the kernel cuts, with the same seed', () => {
    const data = pattern(0, 50_000)
    const whole = run(0.01, data, data.length)
    for (const chunkBytes of [1, 7, 99, 1460]) expectBytes(run(0.01, data, chunkBytes).bytes, whole.bytes)
    expect(run(0.01, data, data.length, 2).bytes.equals(whole.bytes)).toBe(false)
  })

  test('hits every byte with the same chance, independently: the gaps are geometric', () => {
    const rate = 0.1
    const bytes = 1_000_000
    const hits = differing(run(rate, Buffer.alloc(bytes), 65_536).bytes, Buffer.alloc(bytes))
    const gaps = new Map<number, number>()
    let before = -1
    for (const hit of hits) {
      gaps.set(hit - before - 1, (gaps.get(hit - before - 1) ?? 0) + 1)
      before = hit
    }
    for (let gap = 0; gap <= 30; gap++) {
      const expected = bytes * rate * (1 - rate) ** gap * rate
      // A count's deviation is at most the root of what is expected: 4 of those. The seed is fixed.
      expect(Math.abs((gaps.get(gap) ?? 0) - expected), `gaps of ${gap}`).toBeLessThan(4 * Math.sqrt(expected))
    }
  })

  test.each([0.0001, 0.003, 0.5])('at a rate of %d hits that share of the bytes', (rate) => {
    const bytes = 4_000_000
    const hits = differing(run(rate, Buffer.alloc(bytes), 65_536).bytes, Buffer.alloc(bytes)).length
    expect(Math.abs(hits - bytes * rate)).toBeLessThan(4 * Math.sqrt(bytes * rate * (1 - rate)))
  })

  test('at a rate of 1 flips one bit of every byte, each of the eight about equally often', () => {
    const counts = new Map<number, number>()
    for (const byte of run(1, Buffer.alloc(80_000), 10_000).bytes) counts.set(byte, (counts.get(byte) ?? 0) + 1)
    expect([...counts.keys()].toSorted((a, b) => a - b)).toEqual([1, 2, 4, 8, 16, 32, 64, 128])
    // Each is expected 10,000 times with a deviation of 94: 4 of those.
    for (const count of counts.values()) expect(Math.abs(count - 10_000)).toBeLessThan(374)
  })

  test('records every flip, or the count of a chunk that has more than 64', () => {
    const few = run(1, Buffer.alloc(128), 64)
    expect(few.acts.map(({ detail }) => detail['offset'])).toEqual(Array.from({ length: 128 }, (_, offset) => offset))
    expectBytes(few.bytes, flipped(Buffer.alloc(128), few.acts))
    const many = run(1, Buffer.alloc(130), 65)
    expect(many.acts.map(({ action, detail }) => ({ action, detail }))).toEqual([
      { action: 'flip', detail: { offset: 0, count: 65 } },
      { action: 'flip', detail: { offset: 65, count: 65 } },
    ])
  })

  test('leaves the chunk that it was lent as it was', () => {
    const isolated = new IsolatedStage('corrupt', { rate: 1 })
    const lent = Buffer.from(pattern(0, 1000))
    isolated.stage.write(lent)
    expectBytes(lent, pattern(0, 1000))
  })

  test('takes a new rate from the next byte on, and draws nothing anew for the same rate', () => {
    const changed = new IsolatedStage('corrupt', { rate: 0 })
    changed.write(Buffer.alloc(1000))
    changed.stage.update({ rate: 1 })
    changed.write(Buffer.alloc(1000))
    changed.stage.update({ rate: 0 })
    changed.write(Buffer.alloc(1000))
    expect(differing(changed.bytes, Buffer.alloc(3000))).toEqual(
      Array.from({ length: 1000 }, (_, index) => 1000 + index),
    )

    const same = new IsolatedStage('corrupt', { rate: 0.01 })
    for (let offset = 0; offset < 50_000; offset += 10) {
      same.write(pattern(offset, offset + 10))
      same.stage.update({ rate: 0.01 })
    }
    expectBytes(same.bytes, run(0.01, pattern(0, 50_000), 50_000).bytes)
  })

  test('draws by offset: what was hit before a change does not matter behind it', () => {
    const [quiet, busy] = [0, 1].map((rate) => {
      const isolated = new IsolatedStage('corrupt', { rate })
      isolated.write(Buffer.alloc(1000))
      isolated.stage.update({ rate: 0.1 })
      isolated.write(Buffer.alloc(10_000))
      return isolated.bytes.subarray(1000)
    }) as [Buffer, Buffer]
    expect(quiet.equals(Buffer.alloc(10_000))).toBe(false)
    expectBytes(busy, quiet)
  })

  test('hands on a chunk without a hit as it is, and costs little per byte at the default rate', () => {
    const isolated = new IsolatedStage('corrupt', {})
    let bytes = 0
    isolated.stage.next = { write: (chunk) => void (bytes += chunk.length), end() {}, close() {}, reset() {} }
    const chunk = Buffer.alloc(65_536)
    const { user } = process.cpuUsage()
    for (let index = 0; index < 2000; index++) isolated.stage.write(chunk)
    const cpuMs = (process.cpuUsage().user - user) / 1000
    expect(bytes).toBe(2000 * 65_536)
    // 131 MB take about 30 ms; a draw for each byte takes 900.
    expect(cpuMs).toBeLessThan(400)
  })
})

/** What has come through a stage that got the data in chunks of one size. */
function run(rate: number, data: Buffer, chunkBytes: number, seed = 1): IsolatedStage {
  const isolated = new IsolatedStage('corrupt', { rate }, { seed })
  for (let offset = 0; offset < data.length; offset += chunkBytes) {
    isolated.write(data.subarray(offset, offset + chunkBytes))
  }
  return isolated
}

/** A copy with the bits flipped that are on record. */
function flipped(data: Buffer, recorded: readonly { action: string; detail: InjectionDetail }[]): Buffer {
  const copy = Buffer.from(data)
  for (const { action, detail } of recorded) {
    expect(action).toBe('flip')
    const offset = Number(detail['offset'])
    copy[offset] = copy[offset]! ^ (1 << Number(detail['bit']))
  }
  return copy
}

/** Where two buffers of one length differ. */
function differing(one: Buffer, other: Buffer): number[] {
  expect(one.length).toBe(other.length)
  const offsets: number[] = []
  for (let offset = 0; offset < one.length; offset++) if (one[offset] !== other[offset]) offsets.push(offset)
  return offsets
}

/** Not toEqual: the difference between two long buffers takes minutes to print. */
function expectBytes(actual: Buffer, expected: Buffer): void {
  expect(differing(actual, expected).slice(0, 5)).toEqual([])
}
