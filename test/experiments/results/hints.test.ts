import { describe, expect, test } from 'vitest'
import type { Figures, Journal, SecondRecord } from '../../../experiments/model.ts'
import { hintsOf } from '../../../experiments/results/index.ts'
import { hintRules } from '../../../experiments/results/hints/registry.ts'
import { all, empty, inconclusive, neverRecovered, passed, verdict, violated } from './journals.ts'

const figures: Figures = {
  attempts: 100,
  good: 100,
  failed: 0,
  dropped: 0,
  p50Ms: 20,
  p95Ms: 40,
  p99Ms: 50,
  goodP50Ms: 20,
  goodP95Ms: 40,
  goodP99Ms: 50,
}

/** 10 s of baseline, 10 s under a fault, 10 s after it; everything failed its SLO, and nothing is the matter. */
const calm: Journal = {
  ...empty,
  durationMs: 30_000,
  outcome: 'violated',
  steps: [{ phase: 'failure', name: 'latency on payments', kind: 'fault', appliedMs: 10_000, undoneMs: 20_000 }],
  seconds: Array.from({ length: 30 }, (_, index) => second(index)),
  probes: { api: { baseline: figures, failure: figures }, cart: { baseline: figures, failure: figures } },
  recoveryMs: { first: 20, stable: 60 },
  verdicts: ['errorRate', 'latencyDegradation', 'recoveryTime'].map((slo) => verdict(slo, 'fail')),
  injections: { 'latency on payments': 100 },
  machine: [{ cpu: 0.2, memory: 0.4 }],
}

function second(index: number, rest: Partial<SecondRecord> = {}): SecondRecord {
  const phase = index < 10 ? 'baseline' : index < 20 ? 'failure' : 'recovery'
  return { ...figures, second: index, phase, ...rest }
}

/** Of the seconds under the fault. */
function under(rest: (index: number) => Partial<SecondRecord>): Pick<Journal, 'seconds'> {
  return {
    seconds: calm.seconds.map((record, index) => (index >= 10 && index < 20 ? { ...record, ...rest(index) } : record)),
  }
}

function during(rest: Partial<Figures>): Pick<Journal, 'probes'> {
  return { probes: { ...calm.probes, api: { baseline: figures, failure: { ...figures, ...rest } } } }
}

function rulesOf(journal: Journal): string[] {
  return hintsOf(journal).map(({ rule }) => rule)
}

test('without a sign of anything the failed SLOs are named as unexplained', () => {
  expect(hintsOf(calm)).toEqual([
    expect.objectContaining({ rule: 'unexplained', slos: ['errorRate', 'latencyDegradation', 'recoveryTime'] }),
  ])
})

const signs: Readonly<Record<string, Partial<Journal>>> = {
  'baseline-not-clean': {
    seconds: calm.seconds.map((record, index) => (index < 10 ? { ...record, good: 95 } : record)),
  },
  'fault-did-nothing': { injections: { 'latency on payments': 0 } },
  'never-recovered': { recoveryMs: { first: 200, stable: null } },
  'pool-exhausted': { reasons: { api: { 'SQLSTATE 53300: sorry, too many clients already': 4 } } },
  'retries-amplify': { ...under(() => ({ good: 80, failed: 20 })), injections: { 'latency on payments': 3000 } },
  'calls-hang': { reasons: { api: { timeout: 30, 'status 503, expected 200 to 299': 70 } } },
  'no-client-timeout': during({ goodP50Ms: 400, goodP99Ms: 1500 }),
  'queue-grows': under((index) => ({ p50Ms: 20 * (index - 9) })),
  'attempts-pile-up': under(() => ({ good: 99, dropped: 1 })),
  'no-fallback': under(() => ({ good: 5, failed: 95 })),
  'errors-pass-through': under(() => ({ good: 90, failed: 10 })),
  'one-probe': during({ good: 90, failed: 10 }),
  'latency-passes-through': during({ goodP50Ms: 220, goodP95Ms: 241, goodP99Ms: 255 }),
  'only-the-tail': during({ goodP50Ms: 21, goodP99Ms: 450 }),
  'slow-to-notice': { recoveryMs: { first: 6000, stable: 7000 } },
  'backlog-after-heal': { recoveryMs: { first: 100, stable: 7000 } },
  'machine-busy': { machine: [{ cpu: 0.95 }, { cpu: 0.5 }] },
  'too-few-attempts': { verdicts: [verdict('errorRate', 'inconclusive', { interval: [0, 0.1], n: 30 })] },
}

describe('a rule speaks up for its sign, and says what it saw', () => {
  test.each(Object.entries(signs))('%s', (rule, sign) => {
    const hint = hintsOf({ ...calm, ...sign }).find((each) => each.rule === rule)
    expect(hint?.evidence.length).toBeGreaterThan(0)
    expect(hint?.evidence.join()).toMatch(/\d/)
  })

  test('there is none without a sign here', () => {
    expect(Object.keys(signs).sort()).toEqual(hintRules.map(({ name }) => name).sort())
  })
})

describe('a rule keeps quiet', () => {
  test.each([
    ['queue-grows', 'latency that is high from the start', under(() => ({ p50Ms: 900 }))],
    [
      'queue-grows',
      'growth after the fault',
      { seconds: calm.seconds.map((_, at) => second(at, { p50Ms: Math.max(20, at - 19) * 20 })) },
    ],
    [
      'no-client-timeout',
      'time limits that were met',
      { ...signs['no-client-timeout'], reasons: { api: { timeout: 1 } } },
    ],
    ['errors-pass-through', 'good answers that took a retry', under(() => ({ good: 90, failed: 10, goodP50Ms: 45 }))],
    ['errors-pass-through', 'failures that took long', under(() => ({ good: 40, failed: 60, p50Ms: 2000 }))],
    [
      'errors-pass-through',
      'a fault that acted as if for retries',
      { ...under(() => ({ good: 90, failed: 10 })), injections: { 'latency on payments': 3000 } },
    ],
    [
      'one-probe',
      'failures everywhere',
      {
        probes: Object.fromEntries(
          ['api', 'cart'].map((name) => [name, { baseline: figures, failure: { ...figures, good: 90 } }]),
        ),
      },
    ],
    ['retries-amplify', 'many acts without a failure', { injections: { 'latency on payments': 3000 } }],
    [
      'never-recovered',
      'a fault that is still there',
      { recoveryMs: { first: null, stable: null }, steps: [{ ...calm.steps[0]!, undoneMs: undefined as never }] },
    ],
  ] satisfies [string, string, Partial<Journal>][])('%s for %s', (rule, _what, sign) => {
    expect(rulesOf({ ...calm, ...sign })).not.toContain(rule)
  })

  test('about SLOs that were kept', () => {
    const kept = calm.verdicts.map((each) => ({ ...each, result: 'pass' as const }))
    for (const sign of Object.values(signs)) {
      const verdicts = sign.verdicts ?? kept
      expect(hintsOf({ ...calm, ...sign, verdicts }).flatMap(({ slos }) => slos)).toEqual([])
    }
  })
})

test('an inconclusive share says how many attempts would decide it', () => {
  // Wilson's upper end for 0 of n is z² / (n + z²): 5 % at n = 73.
  expect(hintsOf(inconclusive).find(({ rule }) => rule === 'too-few-attempts')?.evidence).toEqual([
    'Error rate: 0 % to 11.4 % by 30 samples, limit ≤ 5 %; about 73 attempts would decide it',
  ])
})

test('runs as they happen get what fits them', () => {
  expect(rulesOf(passed)).toEqual([])
  expect(rulesOf(neverRecovered)).toEqual(['never-recovered', 'pool-exhausted', 'no-fallback'])
  expect(rulesOf(violated)).toEqual([
    'retries-amplify',
    'calls-hang',
    'queue-grows',
    'one-probe',
    'only-the-tail',
    'too-few-attempts',
  ])
  for (const journal of Object.values(all)) {
    const failed = journal.verdicts.filter(({ result }) => result === 'fail').map(({ slo }) => slo)
    const explained = hintsOf(journal).flatMap(({ slos }) => slos)
    expect(explained).toEqual(expect.arrayContaining(failed))
  }
})
