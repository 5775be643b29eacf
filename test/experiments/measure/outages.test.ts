import { describe, expect, test } from 'vitest'
import {
  detectionTime,
  findOutages,
  meanTimeToRecovery,
  uniteOutages,
  uptime,
} from '../../../experiments/measure/outages.ts'
import { baselineBand, findRecovery, uniteRecoveries } from '../../../experiments/measure/recovery.ts'
import type { Attempt } from '../../../experiments/model.ts'

/** One attempt every 100 ms: `.` is good after 10 ms, `x` failed after 10 ms, `s` good after 300 ms, `d` dropped. */
function attempts(pattern: string): Attempt[] {
  return pattern.split('').map((sign, index) => {
    const outcome = sign === 'x' ? 'failed' : sign === 'd' ? 'dropped' : 'good'
    const latencyMs = sign === 's' ? 300 : sign === 'd' ? 0 : 10
    return { probe: 'a', phase: 'failure', intendedMs: index * 100, latencyMs, outcome }
  })
}

describe('outages', () => {
  test.each([
    // Two failures, and a third after a success, are none.
    ['..xx.x.....', []],
    ['..xxx.....', [{ fromMs: 200, untilMs: 510 }]],
    // Four good ones are no end, five are.
    ['..xxx....x.....', [{ fromMs: 200, untilMs: 1010 }]],
    ['..xxx....', [{ fromMs: 200 }]],
    [
      'xdx.....dxd.....',
      [
        { fromMs: 0, untilMs: 310 },
        { fromMs: 800, untilMs: 1110 },
      ],
    ],
    // The first answer of those that end it is not the answer of the first.
    ['xxxs.....', [{ fromMs: 0, untilMs: 410 }]],
    ['', []],
  ])('in %s', (pattern, outages) => {
    expect(findOutages(attempts(pattern))).toEqual(outages)
  })

  test('begin and end as they are told to', () => {
    expect(findOutages(attempts('.x..x'), { failures: 1, successes: 2 })).toEqual([
      { fromMs: 100, untilMs: 210 },
      { fromMs: 400 },
    ])
  })

  test('of parts are united where they meet', () => {
    const united = uniteOutages([
      [{ fromMs: 500, untilMs: 600 }, { fromMs: 900 }],
      [
        { fromMs: 100, untilMs: 200 },
        { fromMs: 550, untilMs: 700 },
        { fromMs: 950, untilMs: 1000 },
      ],
    ])
    expect(united).toEqual([{ fromMs: 100, untilMs: 200 }, { fromMs: 500, untilMs: 700 }, { fromMs: 900 }])
  })

  test('come to an uptime by time, within the span alone', () => {
    const outages = [{ fromMs: 0, untilMs: 200 }, { fromMs: 900 }]
    expect(uptime(outages, { fromMs: 100, untilMs: 1100 })).toBeCloseTo(0.7, 12)
    expect(uptime([], { fromMs: 0, untilMs: 10 })).toBe(1)
    expect(uptime([], { fromMs: 10, untilMs: 10 })).toBeNull()
  })

  test('come to a mean over those that ended; the others make it a least one', () => {
    const outages = [{ fromMs: 0, untilMs: 100 }, { fromMs: 200, untilMs: 500 }, { fromMs: 600 }]
    expect(meanTimeToRecovery(outages, 1600)).toEqual({ meanMs: 200, n: 2, censored: 1, atLeastMs: 1400 / 3 })
  })
})

describe('detection', () => {
  test('is when the first failure is known after the fault, also of what was under way', () => {
    expect(detectionTime(attempts('x..x'), 105)).toBe(205)
    expect(detectionTime(attempts('x..x'), 5)).toBe(5)
    expect(detectionTime(attempts('x...'), 105)).toBeNull()
  })
})

describe('recovery', () => {
  test.each([
    ['xxxxx............', { firstMs: 10, stableMs: 10 }],
    ['xxxxxxx.xx..........', { firstMs: 210, stableMs: 500 }],
    // Good, but slower than it was.
    ['xxxxxssss..........', { firstMs: 300, stableMs: 400 }],
    // Too few to tell.
    ['xxxxx.........', { firstMs: 10, stableMs: null }],
    ['xxxxxxxx', { firstMs: null, stableMs: null }],
  ])('in %s from 500 ms on', (pattern, recovery) => {
    const band = baselineBand(attempts('.'.repeat(20)))
    expect(findRecovery(attempts(pattern), 500, band)).toEqual(recovery)
  })

  test('without a baseline any latency is usual', () => {
    expect(baselineBand(attempts('.........'))).toBeNull()
    expect(findRecovery(attempts('ssssssssss'), 0, null)).toEqual({ firstMs: 300, stableMs: 300 })
  })

  test('the band is what the baseline has had, but for the rarest, and a tenth', () => {
    expect(baselineBand(attempts('.'.repeat(50)))).toBeCloseTo(11, 9)
    // One slow attempt is in ten of 2000 rows: fewer than one in a hundred.
    expect(baselineBand(attempts(`${'.'.repeat(1000)}s${'.'.repeat(1000)}`))).toBeCloseTo(11, 9)
    expect(baselineBand(attempts('.....s'.repeat(20)))).toBeCloseTo(330, 9)
  })

  test('of the whole is that of its last part', () => {
    const well = { firstMs: 10, stableMs: 50 }
    expect(uniteRecoveries([well, { firstMs: 20, stableMs: 40 }])).toEqual({ firstMs: 20, stableMs: 50 })
    expect(uniteRecoveries([well, { firstMs: 20, stableMs: null }])).toEqual({ firstMs: 20, stableMs: null })
    expect(uniteRecoveries([])).toEqual({ firstMs: null, stableMs: null })
  })
})
