// Which packets datagram faults act on: exactly those that the seed says. Stages by themselves, on the fake clock.
import { describe, expect, test } from 'vitest'
import { drawDelayMs, completeDelay } from '../../../../proxy/delay.ts'
import { GilbertElliott } from '../../../../proxy/faults/packet-loss/gilbert-elliott.ts'
import { IsolatedDatagramStage, upTo } from '../../../support/datagrams.ts'

const PACKETS = 20_000
/** Five standard deviations of a count of 20,000 draws: one run in a million is off by more, and the seed is fixed. */
const within = (rate: number): number => 5 * Math.sqrt(PACKETS * rate * (1 - rate))

describe('drop', () => {
  test.each([0.001, 0.1, 0.5, 0.9])('at %d loses what is drawn, and no other', (rate) => {
    const isolated = new IsolatedDatagramStage('drop', { rate })
    isolated.number(PACKETS)
    const lost = isolated.recorded('drop')
    // At a burst of 1 / (1 - rate) or less the first draws of a good and a bad spell are alike: one bound for all.
    expect(lost).toEqual(upTo(PACKETS).filter((number) => isolated.random.at(number) < rate))
    const isLost = new Set(lost)
    expect(isolated.numbers).toEqual(upTo(PACKETS).filter((number) => !isLost.has(number)))
    expect(Math.abs(lost.length - PACKETS * rate)).toBeLessThan(within(rate))
  })

  test('loses all at 1, none at 0', () => {
    const all = new IsolatedDatagramStage('drop', {})
    all.number(100)
    expect(all.numbers).toEqual([])
    const none = new IsolatedDatagramStage('drop', { rate: 0 })
    none.number(100)
    expect(none.numbers).toEqual(upTo(100))
  })

  test('in bursts loses the same share, in rows of the mean length', () => {
    const isolated = new IsolatedDatagramStage('drop', { rate: 0.1, burst: 5 })
    isolated.number(PACKETS)
    const lost = isolated.recorded('drop')
    const channel = new GilbertElliott()
    channel.configure(0.1, 5)
    expect(lost).toEqual(upTo(PACKETS).filter((number) => channel.loses(isolated.random.at(number))))
    const rows = lost.filter((number, index) => lost[index - 1] !== number - 1).length
    // 400 rows are expected. Rows of a geometric length with a mean of 5 deviate by 4.5, so the mean of 400 by 0.22.
    expect(lost.length / rows).toBeGreaterThan(4.1)
    expect(lost.length / rows).toBeLessThan(5.9)
    // Rows make the share deviate by 3 times as much: (1 + 0.78) / (1 - 0.78) is the variance's factor.
    expect(Math.abs(lost.length - PACKETS * 0.1)).toBeLessThan(3 * within(0.1))
  })
})

describe('duplicate', () => {
  test('sends again what is drawn, right behind it', () => {
    const isolated = new IsolatedDatagramStage('duplicate', { rate: 0.2, copies: 2 })
    isolated.number(PACKETS)
    const doubled = upTo(PACKETS).filter((number) => isolated.random.at(number) < 0.2)
    expect(isolated.recorded('duplicate')).toEqual(doubled)
    const isDoubled = new Set(doubled)
    expect(isolated.numbers).toEqual(
      upTo(PACKETS).flatMap((number) => (isDoubled.has(number) ? [number, number, number] : [number])),
    )
    expect(Math.abs(doubled.length - PACKETS * 0.2)).toBeLessThan(within(0.2))
  })

  test('sends the copy later, where it is told to', () => {
    const isolated = new IsolatedDatagramStage('duplicate', { delayMs: 20 })
    isolated.stage.write(Buffer.from('a'))
    isolated.clock.advance(5)
    isolated.stage.write(Buffer.from('b'))
    expect(isolated.stage.heldBytes).toBeGreaterThan(0)
    isolated.clock.advance(100)
    expect(isolated.log.map((line) => line.replace(/\.5/, ''))).toEqual(['0 a', '5 b', '19 a', '24 b'])
    expect(isolated.stage.heldBytes).toBe(0)
    expect(isolated.clock.pendingTimers).toBe(0)
  })
})

describe('reorder', () => {
  test('holds what is drawn until as many as the gap have passed it', () => {
    const isolated = new IsolatedDatagramStage('reorder', { rate: 0.1, gap: 3 })
    isolated.number(PACKETS)
    const held = upTo(PACKETS).filter((number) => isolated.random.at(number) < 0.1)
    expect(isolated.recorded('hold')).toEqual(held)
    expect(Math.abs(held.length - PACKETS * 0.1)).toBeLessThan(within(0.1))
    expect(isolated.numbers).toEqual(reordered(PACKETS, new Set(held), 3))
    isolated.stage.flush()
    expect(isolated.numbers.toSorted((a, b) => a - b)).toEqual(upTo(PACKETS))
  })

  test('holds nothing for longer than its time', () => {
    const isolated = new IsolatedDatagramStage('reorder', { rate: 1, timeoutMs: 50 })
    isolated.stage.write(Buffer.from('a'))
    isolated.clock.advance(10)
    isolated.stage.write(Buffer.from('b'))
    isolated.clock.advance(100)
    expect(isolated.log).toEqual(['49.5 a', '59.5 b'])
    expect(isolated.clock.pendingTimers).toBe(0)
  })
})

/** Another way to say it: each held packet goes right behind the gap-th packet after it that is not held. */
function reordered(count: number, held: ReadonlySet<number>, gap: number): number[] {
  const passing = upTo(count).filter((number) => !held.has(number))
  const behind = new Map<number, number[]>()
  let heldBefore = 0
  for (const number of held) {
    heldBefore++
    const overtaker = passing[number - heldBefore + gap - 1]
    if (overtaker !== undefined) behind.set(overtaker, [...(behind.get(overtaker) ?? []), number])
  }
  return passing.flatMap((number) => [number, ...(behind.get(number) ?? [])])
}

describe('latency', () => {
  test.each([
    { latency: 50, jitter: 30 },
    { latency: 50, jitter: 10, distribution: 'normal' },
    { latency: 20, distribution: 'lognormal', sigma: 0.8 },
    { latency: 20, distribution: 'pareto', shape: 2 },
  ] as const)('%j delays each packet by what is drawn for it', (attributes) => {
    const isolated = new IsolatedDatagramStage('latency', attributes)
    isolated.number(2000)
    isolated.clock.advance(4_000_000)
    const { latency, ...others } = attributes
    const { jitter = 0, ...spread } = others as { jitter?: number }
    const delay = completeDelay({ ...spread, delayMs: latency, jitterMs: jitter })
    const delays = upTo(2000).map((number) => drawDelayMs(delay, isolated, number))
    expect(isolated.acts.map(({ detail }) => detail['delayMs'])).toEqual(delays)
    // Half a millisecond early counts as on time.
    for (const { atMs, packet } of isolated.passed) {
      expect(Math.abs(atMs - delays[packet.readUInt32LE() - 1]!)).toBeLessThanOrEqual(0.5)
    }
    const byDelay = upTo(2000).toSorted((a, b) => delays[a - 1]! - delays[b - 1]! || a - b)
    expect(isolated.numbers).toEqual(byDelay)
  })

  test('keeps the order where it is told to, and delays none for less than is drawn', () => {
    const isolated = new IsolatedDatagramStage('latency', { latency: 50, jitter: 50, keepOrder: true })
    for (let written = 0; written < 500; written++) {
      isolated.number(1)
      isolated.clock.advance(1)
    }
    isolated.clock.advance(1000)
    expect(isolated.numbers).toEqual(upTo(500))
    const drawn = new Map(isolated.acts.map(({ detail }) => [detail['packet'], Number(detail['delayMs'])]))
    for (const [index, { atMs }] of isolated.passed.entries()) {
      expect(atMs - index).toBeGreaterThanOrEqual((drawn.get(index + 1) ?? 0) - 0.5)
    }
  })

  test('with a correlation of 1 delays all alike', () => {
    const isolated = new IsolatedDatagramStage('latency', { latency: 50, jitter: 30, correlation: 1 })
    isolated.number(100)
    expect(new Set(isolated.acts.map(({ detail }) => detail['delayMs'])).size).toBe(1)
  })

  test('shortened, brings what is on its way in no later than a new packet', () => {
    const isolated = new IsolatedDatagramStage('latency', { latency: 3_000_000 })
    isolated.number(3)
    isolated.stage.update({ ...latencyOf(10) })
    isolated.clock.advance(10)
    expect(isolated.numbers).toEqual([1, 2, 3])
  })

  test('drops what is more than may be held, and says so', () => {
    const isolated = new IsolatedDatagramStage('latency', { latency: 10 }, { maxHeldBytes: 2 * (100 + 256) })
    isolated.number(3, 100)
    expect(isolated.recorded('drop')).toEqual([3])
    expect(isolated.limitsReached).toBe(1)
    isolated.clock.advance(20)
    expect(isolated.numbers).toEqual([1, 2])
  })
})

const latencyOf = (latency: number) => ({ ...spread, latency })
const spread = { jitter: 0, distribution: 'uniform', sigma: 0.5, shape: 3, correlation: 0, keepOrder: false }

describe('corrupt', () => {
  test('flips the bits that are on record, as many as the rate says', () => {
    const isolated = new IsolatedDatagramStage('corrupt', { rate: 0.001 })
    isolated.number(PACKETS, 100)
    const expected = upTo(PACKETS).map((number) => {
      const packet = Buffer.alloc(100)
      packet.writeUInt32LE(number)
      return packet
    })
    for (const { detail } of isolated.acts) {
      const packet = expected[Number(detail['packet']) - 1]!
      const offset = Number(detail['offset'])
      packet[offset] = packet[offset]! ^ (1 << Number(detail['bit']))
    }
    expect(Buffer.concat(isolated.passed.map(({ packet }) => packet)).equals(Buffer.concat(expected))).toBe(true)
    // 2,000 of 2,000,000 bytes, with a deviation of 45: 5 of those.
    expect(Math.abs(isolated.acts.length - 2000)).toBeLessThan(225)
    const offsets = isolated.acts.map(({ detail }) => Number(detail['offset']))
    // Evenly: the mean of 2,000 offsets from 0 to 99 deviates by 0.65 from 49.5.
    expect(Math.abs(offsets.reduce((sum, offset) => sum + offset) / offsets.length - 49.5)).toBeLessThan(3.3)
  })

  test('hits every byte at 1, and leaves the memory that it was given alone', () => {
    const isolated = new IsolatedDatagramStage('corrupt', { rate: 1 })
    const packet = Buffer.alloc(65)
    isolated.stage.write(packet)
    expect(isolated.passed[0]?.packet.every((byte) => byte !== 0)).toBe(true)
    expect(packet.equals(Buffer.alloc(65))).toBe(true)
    expect(isolated.acts.map(({ detail }) => detail)).toEqual([{ packet: 1, offset: 0, count: 65 }])
  })
})

test.each([
  ['drop', { rate: 0.3 }],
  ['duplicate', { rate: 0.3 }],
  ['reorder', { rate: 0.3 }],
  ['corrupt', { rate: 0.1 }],
  ['latency', { latency: 20, jitter: 20 }],
])('%s does the same with the same seed, something else with another', (type, attributes) => {
  const run = (seed: number) => {
    const isolated = new IsolatedDatagramStage(type, attributes, { seed })
    isolated.number(1000)
    isolated.clock.advance(1000)
    return { passed: isolated.passed.map(({ packet }) => packet.toString('hex')), acts: isolated.acts }
  }
  expect(run(5)).toEqual(run(5))
  expect(run(5).acts).not.toEqual(run(6).acts)
})

test.each(['drop', 'duplicate', 'reorder', 'corrupt', 'latency'])(
  '%s passes on as they are the packets that are not to be acted on',
  (type) => {
    const attributes = type === 'latency' ? { latency: 1 } : { rate: 1 }
    const isolated = new IsolatedDatagramStage(type, attributes, { selects: () => false })
    isolated.number(50)
    expect(isolated.numbers).toEqual(upTo(50))
    expect(isolated.acts).toEqual([])
  },
)

test.each(['duplicate', 'reorder', 'latency', 'bandwidth'])(
  '%s passes on all that it holds when it is removed, nothing when the session is gone, and leaves no timer',
  (type) => {
    const attributes = { duplicate: { delayMs: 50 }, reorder: { rate: 1 }, latency: { latency: 50 }, bandwidth: {} }[
      type
    ]
    const removed = new IsolatedDatagramStage(type, attributes ?? {})
    removed.number(10)
    removed.stage.flush()
    expect(new Set(removed.numbers)).toEqual(new Set(upTo(10)))
    const gone = new IsolatedDatagramStage(type, attributes ?? {})
    gone.number(10)
    const passed = gone.passed.length
    gone.stage.dispose()
    gone.clock.advance(1000)
    expect(gone.passed).toHaveLength(passed)
    for (const { stage, clock } of [removed, gone]) {
      expect(stage.heldBytes).toBe(0)
      expect(clock.pendingTimers).toBe(0)
    }
  },
)
