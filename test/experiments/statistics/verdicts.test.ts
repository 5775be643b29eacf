import { describe, expect, test } from 'vitest'
import type { Attempt, Verdict } from '../../../experiments/model.ts'
import { judgeDegradation, judgeLatency } from '../../../experiments/statistics/latencies.ts'
import { judgeMttr, judgeRecoveryTime } from '../../../experiments/statistics/recoveries.ts'
import { judgeAvailability, judgeErrorRate } from '../../../experiments/statistics/shares.ts'
import { compare, duration, percent } from '../../../experiments/statistics/verdict.ts'
import { Random } from '../../../proxy/random.ts'

/** `result: why`, as people read it. */
function said({ result, why }: Verdict): string {
  return `${result}: ${why}`
}

test('a verdict is pass or fail only if the whole interval is on one side; the threshold itself is good', () => {
  expect(compare([1, 5], 5, 'at most')).toBe('pass')
  expect(compare([5, 9], 5, 'at most')).toBe('inconclusive')
  expect(compare([6, 9], 5, 'at most')).toBe('fail')
  expect(compare([5, 9], 5, 'at least')).toBe('pass')
  expect(compare([1, 5], 5, 'at least')).toBe('inconclusive')
  expect(compare([1, 4], 5, 'at least')).toBe('fail')
  expect(compare(null, 5, 'at most')).toBe('inconclusive')
})

describe('error rate', () => {
  test.each([
    [
      30,
      30,
      'inconclusive: 0 of 30 attempts failed, 0 % (95 % interval 0 % to 11.4 %); at most 5 % is allowed, and that is ' +
        'within the interval: at this share it would take about 73 attempts to tell.',
    ],
    [73, 73, 'pass: 0 of 73 attempts failed, 0 % (95 % interval 0 % to 5 %); at most 5 % is allowed.'],
    [600, 583, 'pass: 17 of 600 attempts failed, 2.8 % (95 % interval 1.8 % to 4.5 %); at most 5 % is allowed.'],
    [600, 550, 'fail: 50 of 600 attempts failed, 8.3 % (95 % interval 6.4 % to 10.8 %); at most 5 % is allowed.'],
    [0, 0, 'inconclusive: There were no attempts; at most 5 % is allowed, and nothing is known.'],
  ])('%i attempts, %i good', (attempts, good, words) => {
    expect(said(judgeErrorRate({ attempts, good }, 0.05))).toBe(words)
  })

  test('has its figures beside its words', () => {
    const verdict = judgeErrorRate({ attempts: 600, good: 583 }, 0.05)
    expect(verdict).toMatchObject({ slo: 'errorRate', measured: 17 / 600, threshold: 0.05, n: 600 })
    expect(verdict.interval?.[1]).toBeCloseTo(0.0449, 4)
    expect(judgeErrorRate({ attempts: 0, good: 0 }, 0.05).measured).toBeNull()
  })

  test('the advised number of attempts is enough, and one less is not', () => {
    const few = judgeErrorRate({ attempts: 100, good: 96 }, 0.05)
    expect(few.result).toBe('inconclusive')
    const advised = Number(/about (\d+) attempts/.exec(few.why)?.[1])
    expect(judgeErrorRate({ attempts: advised, good: advised * 0.96 }, 0.05).result).toBe('pass')
    expect(judgeErrorRate({ attempts: advised - 1, good: (advised - 1) * 0.96 }, 0.05).result).toBe('inconclusive')
  })

  test('that nothing at all may fail can be refuted, and never be shown', () => {
    expect(said(judgeErrorRate({ attempts: 1000, good: 1000 }, 0))).toMatch(/^inconclusive: .*no number of attempts/)
    expect(judgeErrorRate({ attempts: 1000, good: 999 }, 0).result).toBe('fail')
  })
})

test('availability needs a share at least', () => {
  expect(said(judgeAvailability({ attempts: 600, good: 590 }, 0.95))).toBe(
    'pass: 590 of 600 attempts were good, 98.3 % (95 % interval 97 % to 99.1 %); at least 95 % is needed.',
  )
  expect(judgeAvailability({ attempts: 600, good: 570 }, 0.95).result).toBe('inconclusive')
  expect(judgeAvailability({ attempts: 600, good: 540 }, 0.95).result).toBe('fail')
})

/** At 20 a second, 10 to 20 ms in a fixed disorder; those from `slowFrom` on take so much longer. */
function attempts(n: number, slowerMs = 0, slowFrom = 0, dropped = 0): Attempt[] {
  return Array.from({ length: n }, (_, index) => ({
    probe: 'a',
    phase: 'failure',
    intendedMs: index * 50,
    latencyMs: 10 + ((index * 7919) % 101) / 10 + (index >= slowFrom ? slowerMs : 0),
    outcome: index < dropped ? 'dropped' : 'good',
  }))
}

const random = (): Random => new Random(1, 'verdicts')

function judgedLatency(of: readonly Attempt[], thresholdMs: number, quantile = 0.95): Verdict {
  return judgeLatency({ slo: 'checkout answers', attempts: of, thresholdMs, quantile, random: random() })
}

function judgedDegradation(during: readonly Attempt[], thresholdMs = 500): Verdict {
  return judgeDegradation({ before: attempts(600), during, thresholdMs, random: random() })
}

describe('latency', () => {
  test('within the threshold, above it, and too close', () => {
    expect(said(judgedLatency(attempts(600), 800))).toBe(
      'pass: The p95 of 600 attempts was 20 ms (95 % interval 19 ms to 20 ms); at most 800 ms is allowed.',
    )
    expect(judgedLatency(attempts(600), 15).result).toBe('fail')
    expect(judgedLatency(attempts(600, 200, 565), 50).result).toBe('inconclusive')
  })

  test('too few attempts say nothing of a high percentile, whatever they were', () => {
    expect(said(judgedLatency(attempts(71), 800))).toBe(
      'inconclusive: The p95 of 71 attempts was 20 ms; at most 800 ms is allowed, and it takes at least 72 attempts to ' +
        'say anything of a p95.',
    )
    expect(judgedLatency(attempts(72), 800).result).toBe('pass')
    expect(judgedLatency(attempts(367), 800, 0.99).result).toBe('inconclusive')
  })

  test('too many dropped attempts hide where the percentile is', () => {
    expect(said(judgedLatency(attempts(600, 0, 0, 60), 800))).toBe(
      'inconclusive: The p95 of 540 attempts was 20 ms; at most 800 ms is allowed, and 10 % of the attempts were dropped: ' +
        "where its p95 is can't be known.",
    )
    expect(judgedLatency(attempts(600, 0, 0, 6), 800).result).toBe('pass')
  })

  test('but not that it is above the threshold, as they would have been among the slowest', () => {
    const found = judgedLatency(attempts(600, 0, 0, 60), 5)
    expect(said(found)).toBe(
      'fail: The p95 of 540 attempts was 20 ms, with 95 % confidence at least 19 ms, and 10 % of the attempts were dropped, ' +
        'which would have been among the slowest; at most 5 ms is allowed.',
    )
    // How high it may be is not known.
    expect(found).not.toHaveProperty('interval')
  })

  test('no attempt at all', () => {
    expect(judgedLatency([], 800)).toMatchObject({ result: 'inconclusive', measured: null, n: 0 })
  })
})

describe('latency degradation', () => {
  test('shorter than allowed, longer, and uncertain', () => {
    expect(said(judgedDegradation(attempts(600, 200)))).toBe(
      'pass: The p95 was 200 ms longer over 600 attempts than over 600 before (95 % interval 200 ms to 200 ms); at most ' +
        '500 ms is allowed.',
    )
    expect(judgedDegradation(attempts(600, 700)).result).toBe('fail')
    // The last twentieth of them took 2 s: one stall, of which nobody knows whether it is more than a twentieth.
    expect(judgedDegradation(attempts(600, 2000, 570)).result).toBe('inconclusive')
    expect(judgedDegradation(attempts(600, -5)).why).toContain('5 ms shorter')
    expect(judgedDegradation([])).toMatchObject({ result: 'inconclusive', measured: null })
  })

  test('dropped attempts hide by how much it is longer, not that it is; before the failure they hide that, too', () => {
    expect(judgedDegradation(attempts(600, 700, 0, 60)).result).toBe('fail')
    expect(judgedDegradation(attempts(600, 200, 0, 60)).result).toBe('inconclusive')
    const [before, during] = [attempts(600, 0, 0, 60), attempts(600, 700)]
    expect(judgeDegradation({ before, during, thresholdMs: 500, random: random() }).result).toBe('inconclusive')
  })
})

describe('mean time to recovery', () => {
  test.each([
    [
      { meanMs: 7205, n: 2, censored: 0, atLeastMs: 7205 },
      'pass: 2 outages took 7.2 s on average to end; at most 30 s is allowed.',
    ],
    [
      { meanMs: 40_000, n: 1, censored: 0, atLeastMs: 40_000 },
      'fail: 1 outage took 40 s to end; at most 30 s is allowed.',
    ],
    [
      { meanMs: 29_980, n: 1, censored: 0, atLeastMs: 29_980 },
      'inconclusive: 1 outage took 30 s to end; at most 30 s is allowed, and with a probe every 50 ms that is too close ' +
        'to tell.',
    ],
    [{ meanMs: null, n: 0, censored: 0, atLeastMs: null }, 'pass: There was no outage, so nothing had to recover.'],
    [
      { meanMs: 2000, n: 1, censored: 1, atLeastMs: 12_000 },
      'inconclusive: 1 of 2 outages did not end while it was watched; the mean is at least 12 s, at most 30 s is allowed, ' +
        "and how long it is can't be known.",
    ],
    [
      { meanMs: null, n: 0, censored: 1, atLeastMs: 31_000 },
      'fail: 1 of 1 outage did not end while it was watched, and the mean is at least 31 s; at most 30 s is allowed.',
    ],
  ])('%j', (mttr, words) => {
    expect(said(judgeMttr(mttr, 30_000, 50))).toBe(words)
  })
})

describe('recovery time', () => {
  const usual = { thresholdMs: 10_000, probeIntervalMs: 50, watchedMs: 30_000, attempts: 600 }

  test.each([
    [
      { firstMs: 400, stableMs: 3000 },
      {},
      'pass: The first good answer came 400 ms after the fault, and it stayed well from 3 s on; at most 10 s is allowed.',
    ],
    [{ firstMs: 400, stableMs: 12_000 }, {}, /^fail: /],
    [{ firstMs: 400, stableMs: 10_020 }, {}, /^inconclusive: .*too close to tell/],
    [
      { firstMs: null, stableMs: null },
      {},
      'fail: No answer was good, and within 30 s it did not stay well; at most 10 s is allowed.',
    ],
    [{ firstMs: 1, stableMs: null }, { watchedMs: 8000 }, /^inconclusive: .*that was not watched long enough to tell/],
    [{ firstMs: 1, stableMs: null }, { attempts: 9 }, /^inconclusive: .*it takes 10 attempts to tell/],
    [{ firstMs: null, stableMs: null }, { watchedMs: null }, /^inconclusive: The fault was not removed/],
  ])('%j %j', (recovery, options, words) => {
    const text = said(judgeRecoveryTime({ ...usual, ...options, recovery }))
    if (typeof words === 'string') expect(text).toBe(words)
    else expect(text).toMatch(words)
  })
})

test('numbers are as people write them', () => {
  expect([0, 0.0005, 0.0283, 0.05, 1].map(percent)).toEqual(['0 %', '0.05 %', '2.8 %', '5 %', '100 %'])
  expect([0.351, 4.26, 412.4, 12_345, 150_000].map(duration)).toEqual([
    '0.35 ms',
    '4.3 ms',
    '412 ms',
    '12.3 s',
    '2.5 min',
  ])
})
