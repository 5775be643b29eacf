// How the delays of a latency spread and follow one another, against what theory says of each distribution.
import { describe, expect, test } from 'vitest'
import type { LatencyAttributes } from '../../../proxy/faults/latency.ts'
import { IsolatedStage } from '../../support/isolated-stage.ts'
import { startProxied } from '../../support/proxied.ts'
import { acts, connectEnds, expectDelay } from '../../support/stream-faults.ts'

const SAMPLES = 10_000

/** The delay of each of many messages, a millisecond apart. */
function delaysOf(attributes: LatencyAttributes, samples = SAMPLES, seed = 1): number[] {
  const isolated = new IsolatedStage('latency', {}, { seed })
  isolated.stage.update(attributes)
  for (let index = 0; index < samples; index++) {
    isolated.clock.advance(1)
    isolated.write('x')
  }
  return isolated.acts.map(({ detail }) => detail['delayMs'] as number)
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length * share)] ?? NaN
}

/** Pearson's correlation of each value with the one before. */
function autocorrelation(values: readonly number[]): number {
  const middle = mean(values)
  const products = values.slice(1).map((value, index) => (value - middle) * ((values[index] ?? NaN) - middle))
  return mean(products) / mean(values.map((value) => (value - middle) ** 2))
}

/** The place of each value among all. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, index) => index).toSorted((one, other) => (values[one] ?? 0) - (values[other] ?? 0))
  const places = Array.from({ length: values.length }, () => 0)
  for (const [place, index] of order.entries()) places[index] = place
  return places
}

/** Of the standard normal distribution: half, 95 % and 99 % of it lie below these. */
const [Z50, Z95, Z99] = [0, 1.644854, 2.326348]

/**
 * Delays so long that rounding them to milliseconds does not show, and tails so light that 100 samples above the last
 * percentile say where it is: its standard error is 1 % with independent delays, and 2.6 times that at most with a
 * correlation of 0.75.
 */
const cases: { attributes: LatencyAttributes; theory: [mean: number, p50: number, p95: number, p99: number] }[] = [
  {
    attributes: { latency: 10_000, jitter: 8000 },
    theory: [10_000, 10_000, 17_200, 17_840],
  },
  {
    attributes: { latency: 10_000, jitter: 2000, distribution: 'normal' },
    theory: [10_000, 10_000 + 2000 * Z50, 10_000 + 2000 * Z95, 10_000 + 2000 * Z99],
  },
  {
    attributes: { latency: 10_000, jitter: 0, distribution: 'lognormal', sigma: 0.25 },
    theory: [
      10_000 * Math.exp(0.25 ** 2 / 2),
      10_000 * Math.exp(0.25 * Z50),
      10_000 * Math.exp(0.25 * Z95),
      10_000 * Math.exp(0.25 * Z99),
    ],
  },
  {
    attributes: { latency: 10_000, jitter: 0, distribution: 'pareto', shape: 10 },
    theory: [(10_000 * 10) / 9, 10_000 * 2 ** 0.1, 10_000 * 20 ** 0.1, 10_000 * 100 ** 0.1],
  },
]

function expectTheory(values: readonly number[], [average, ...quantiles]: readonly number[]): void {
  const found = [mean(values), ...[0.5, 0.95, 0.99].map((share) => quantile(values, share))]
  for (const [index, expected] of [average, ...quantiles].entries()) {
    expect(Math.abs((found[index] ?? NaN) / (expected ?? NaN) - 1)).toBeLessThan(0.03)
  }
}

// The seed is fixed, so nothing here varies from run to run.
describe.each(cases)('latency, $attributes.distribution', ({ attributes, theory }) => {
  test('has the mean and the percentiles of its distribution, and no correlation', () => {
    const delays = delaysOf(attributes)
    expect(delays).toHaveLength(SAMPLES)
    expectTheory(delays, theory)
    // Three standard errors of 0.01.
    expect(Math.abs(autocorrelation(delays))).toBeLessThan(0.03)
  })

  test.each([0.25, 0.5, 0.75])('has them with a correlation of %d, too, and that correlation', (correlation) => {
    const delays = delaysOf({ ...attributes, correlation })
    expectTheory(delays, theory)
    const measured = autocorrelation(attributes.distribution === 'pareto' ? ranks(delays) : delays)
    expect(Math.abs(measured - correlation)).toBeLessThan(0.03)
  })

  test('has the same delay always with a correlation of 1', () => {
    expect(new Set(delaysOf({ ...attributes, correlation: 1 }, 100)).size).toBe(1)
  })

  test('draws the same delays with the same seed, others with another', () => {
    const correlated = { ...attributes, correlation: 0.5 }
    const first = delaysOf(correlated, 100)
    expect(delaysOf(correlated, 100)).toEqual(first)
    expect(delaysOf(correlated, 100, 2)).not.toEqual(first)
  })
})

describe('latency with a distribution', () => {
  test('draws the same delays however the bytes are cut into chunks', () => {
    const drawn = [1, 7, 1000].map((chunkBytes) => {
      const isolated = new IsolatedStage('latency', {})
      isolated.stage.update({ latency: 100, jitter: 30, distribution: 'normal', correlation: 0.5 })
      for (let message = 0; message < 20; message++) {
        isolated.clock.advance(1)
        for (let at = 0; at < 1000; at += chunkBytes) isolated.write(Buffer.alloc(Math.min(chunkBytes, 1000 - at)))
      }
      return isolated.acts.map(({ detail }) => detail)
    })
    expect(drawn[0]).toHaveLength(20)
    expect(drawn[1]).toEqual(drawn[0])
    expect(drawn[2]).toEqual(drawn[0])
  })

  test('without any attribute of it is Toxiproxy’s, and as with uniform', () => {
    const plain = delaysOf({ latency: 100, jitter: 50 }, 200)
    expect(delaysOf({ latency: 100, jitter: 50, distribution: 'uniform', correlation: 0 }, 200)).toEqual(plain)
  })

  test('holds bytes as long as it has drawn, also far beyond the usual', () => {
    const isolated = new IsolatedStage('latency', {})
    isolated.stage.update({ latency: 1000, jitter: 0, distribution: 'pareto', shape: 3 })
    for (let message = 0; message < 5000; message++) {
      isolated.clock.advance(3_600_000)
      isolated.write('x')
    }
    isolated.clock.advance(3_600_000)
    const drawn = isolated.acts.map(({ atMs, detail }) => atMs + (detail['delayMs'] as number))
    expect(isolated.passed.map(({ atMs }) => atMs)).toEqual(drawn)
    // 1 in 1000 lasts longer than 10 times the least; 1 in 1728 longer than 12 times.
    expect(Math.max(...isolated.acts.map(({ detail }) => detail['delayMs'] as number))).toBeGreaterThan(12_000)
  })

  test('made shorter, lets what is on its way come sooner, too', () => {
    const isolated = new IsolatedStage('latency', { latency: 60_000 })
    isolated.write('x')
    isolated.clock.advance(10)
    isolated.stage.update({ latency: 100, jitter: 10, distribution: 'normal' })
    isolated.clock.advance(100 + 4 * 10)
    expect(isolated.bytes.toString()).toBe('x')
  })

  test('works on the wire', async () => {
    const attributes = { latency: 100, distribution: 'lognormal', sigma: 0.1, correlation: 0.3 }
    await using proxied = await startProxied([{ type: 'latency', attributes }])
    const { sender, receiver } = await connectEnds(proxied, 'downstream')
    const sentMs = performance.now()
    sender.write('ping')
    await receiver.untilBytes(4)
    const elapsedMs = performance.now() - sentMs
    const delayMs = acts(proxied.network)[0]?.detail['delayMs'] as number
    expectDelay(elapsedMs, delayMs)
    expect([...proxied.proxy.faults][0]?.attributes).toEqual({ ...attributes, jitter: 0 })
  })

  test.each([
    ['distribution', 'gamma'],
    ['correlation', 1.5],
    ['sigma', -1],
    ['shape', 0],
  ])('refuses %s = %s', async (name, value) => {
    const spec = { type: 'latency', attributes: { [name]: value } }
    await expect(startProxied([spec])).rejects.toThrow(`attributes.${name}`)
  })
})

test.each(['lognormal', 'pareto'])('jitter with %s is refused, not ignored', async (distribution) => {
  await using proxied = await startProxied()
  const attributes = { latency: 10, jitter: 5, distribution }
  expect(() => proxied.proxy.addFault({ type: 'latency', attributes })).toThrow('attributes.jitter')
})
