// The small parts of the model: which packets a channel loses, when kernel timers fire, what handshakes cost.
import { expect, test } from 'vitest'
import { GilbertElliott } from '../../../../proxy/faults/packet-loss/gilbert-elliott.ts'
import { handshakeDelayMs } from '../../../../proxy/faults/packet-loss/handshake.ts'
import { RttEstimator } from '../../../../proxy/faults/packet-loss/rtt-estimator.ts'
import { wheelDueMs } from '../../../../proxy/faults/packet-loss/timer-wheel.ts'
import { Random } from '../../../../proxy/random.ts'

const PACKETS = 200_000

function lossRun(loss: number, burst: number): { share: number; meanBurst: number } {
  const channel = new GilbertElliott()
  channel.configure(loss, burst)
  const random = new Random('channel', loss, burst)
  let lost = 0
  let bursts = 0
  let before = false
  for (let packet = 0; packet < PACKETS; packet++) {
    const now = channel.loses(random.next())
    if (now) lost++
    if (now && !before) bursts++
    before = now
  }
  return { share: lost / PACKETS, meanBurst: lost / bursts }
}

test.each([
  [0.01, 1],
  [0.3, 1],
  [0.05, 4],
  [0.2, 10],
])('a channel loses %d of its packets, %d in a row', (loss, burst) => {
  const { share, meanBurst } = lossRun(loss, burst)
  // At least 2,000 bursts with a deviation about as large as their mean: 10 % is more than four standard deviations.
  expect(Math.abs(share / loss - 1)).toBeLessThan(0.1)
  // Independent losses do come in rows: of 1 / (1 - loss).
  expect(Math.abs(meanBurst / Math.max(burst, 1 / (1 - loss)) - 1)).toBeLessThan(0.1)
})

test('without bursts the fate of a packet depends on its own number alone', () => {
  const channel = new GilbertElliott()
  channel.configure(0.3, 1)
  expect([0.29, 0.29, 0.31, 0.29, 0.31].map((number) => channel.loses(number))).toEqual([
    true,
    true,
    false,
    true,
    false,
  ])
})

test('a loss of 0 loses nothing and a loss of 1 everything, also in the middle of a burst', () => {
  const channel = new GilbertElliott()
  channel.configure(1, 50)
  expect([channel.loses(0.999), channel.loses(0)]).toEqual([true, true])
  channel.configure(0, 50)
  expect([channel.loses(0.999), channel.loses(0)]).toEqual([false, false])
})

test.each([
  // At 10 ms: tick 2. Up to 252 ms the next tick of 4 ms, then of 32, of 256, of 2048.
  [40, 52],
  [210, 224],
  [420, 448],
  [1000, 1024],
  [3000, 3072],
  [30_000, 30_720],
])('a timer of %d ms set at 10 fires at %d', (delayMs, dueMs) => {
  expect(wheelDueMs(10, delayMs)).toBe(dueMs)
})

test('the timeout follows the round trips: up at once, down slowly, never less than the minimum above them', () => {
  const estimator = new RttEstimator(10, 200)
  expect(estimator.rtoMs).toBe(210)
  estimator.sample(500, 1, 2)
  const raisedMs = estimator.rtoMs
  // The deviation of 490 counts at once: (490 - 20 / 4) + 20 above the new mean of 71.
  expect(raisedMs).toBeCloseTo(71.25 + 505)
  for (let round = 2; round < 60; round++) estimator.sample(10, round, round + 1)
  expect(estimator.rtoMs).toBeLessThan(215)
  expect(estimator.rtoMs).toBeGreaterThan(210)
  estimator.backOff()
  estimator.backOff()
  expect(estimator.rtoMs).toBeGreaterThan(840)
  estimator.sample(10, 100, 101)
  expect(estimator.rtoMs).toBeLessThan(215)
})

test('a timeout never exceeds two minutes', () => {
  const estimator = new RttEstimator(10, 200)
  for (let tries = 0; tries < 40; tries++) estimator.backOff()
  expect(estimator.rtoMs).toBe(120_000)
})

test('handshakes are delayed by whole tries, none without loss and forever with nothing but loss', () => {
  const random = new Random('handshake')
  expect(handshakeDelayMs(0, 0, random)).toBe(0)
  expect(handshakeDelayMs(1, 0, random)).toBe(Infinity)
  expect(handshakeDelayMs(0, 1, random)).toBe(Infinity)
  const delays = Array.from({ length: 20_000 }, () => handshakeDelayMs(0.3, 0, random))
  expect([...new Set(delays)].toSorted((a, b) => a - b).slice(0, 7)).toEqual([0, 1000, 2000, 3000, 4000, 5000, 7000])
  // 20,000 draws: a share of .7 is good to ±.01 (three standard deviations).
  expect(Math.abs(delays.filter((delayMs) => delayMs === 0).length / delays.length - 0.7)).toBeLessThan(0.01)
  expect(Math.abs(delays.filter((delayMs) => delayMs === 1000).length / delays.length - 0.21)).toBeLessThan(0.01)
})

test('a server repeats its lost answer by itself, beside the client', () => {
  const random = new Random('answers')
  const delays = Array.from({ length: 20_000 }, () => handshakeDelayMs(0, 0.3, random))
  // .3 lost at first; after a second both the repeated answer and the one to the repeated SYN would have to be lost.
  const share = delays.filter((delayMs) => delayMs === 1000).length / delays.length
  expect(Math.abs(share - 0.3 * (1 - 0.3 ** 2))).toBeLessThan(0.01)
})
