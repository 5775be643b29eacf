// Journals of runs as they happen: attempts are made up, figures are what the recorder makes of them.
import { Recorder } from '../../../experiments/measure/recorder.ts'
import type { Journal, MetricRecord, PhaseName, PhaseRecord, StepRecord, Verdict } from '../../../experiments/model.ts'
import { Random } from '../../../proxy/random.ts'

/** How an answer is at a time: milliseconds, or why there is none. */
type Service = (seconds: number, random: Random) => number | string

interface Story {
  readonly lengths: Partial<Record<PhaseName, number>>
  readonly probes: Readonly<Record<string, { readonly perSecond: number; readonly service: Service }>>
}

/** As with a log-normal: most are near the median, a few much above it. */
export function around(medianMs: number, random: Random): number {
  return medianMs * (0.8 + 0.3 * random.next() + 0.25 * random.next() ** 8 * 6)
}

function measured({
  lengths,
  probes,
}: Story): Pick<Journal, 'phases' | 'probes' | 'seconds' | 'reasons' | 'durationMs'> {
  const random = new Random('journals')
  const recorder = new Recorder()
  const reasons: Record<string, Record<string, number>> = {}
  const phases: PhaseRecord[] = []
  let atMs = 0
  for (const [name, seconds = 0] of Object.entries(lengths) as [PhaseName, number][]) {
    phases.push({ name, fromMs: atMs, untilMs: (atMs += seconds * 1000) })
  }
  for (const [probe, { perSecond, service }] of Object.entries(probes)) {
    for (const { name: phase, fromMs, untilMs } of phases.filter(({ name }) => name !== 'preparation')) {
      for (let intendedMs = fromMs; intendedMs < untilMs; intendedMs += 1000 / perSecond) {
        const answer = service(intendedMs / 1000, random)
        if (typeof answer === 'number') {
          recorder.record({ probe, phase, intendedMs, latencyMs: answer, outcome: 'good' })
          continue
        }
        const latencyMs = answer === 'timeout' ? 2000 : around(8, random)
        const outcome = answer === 'dropped' ? 'dropped' : 'failed'
        recorder.record({ probe, phase, intendedMs, latencyMs, outcome, reason: answer })
        const ofProbe = (reasons[probe] ??= {})
        ofProbe[answer] = (ofProbe[answer] ?? 0) + 1
      }
    }
  }
  return { phases, probes: recorder.byProbe(), seconds: recorder.seconds(), reasons, durationMs: atMs }
}

const frame: Omit<Journal, 'reason'> = {
  version: 1,
  id: 'run-0',
  title: 'Checkout survives a slow payment service',
  environment: 'staging',
  seed: 42,
  startedAt: '2030-01-31T10:00:00.000Z',
  durationMs: 0,
  outcome: 'error',
  phases: [],
  steps: [],
  probes: {},
  seconds: [],
  outages: [],
  detectionMs: null,
  recoveryMs: { first: null, stable: null },
  verdicts: [],
  injections: {},
  machine: [],
}

/** It ended before it had begun. */
export const empty: Journal = { ...frame, reason: 'probe checkout answers: ECONNREFUSED' }

export function verdict(slo: string, result: Verdict['result'], rest: Partial<Verdict> = {}): Verdict {
  return { slo, result, measured: 0.02, threshold: 0.05, n: 1200, why: `${slo} came out as ${result}`, ...rest }
}

function fault(name: string, appliedMs: number, undoneMs?: number, kind: StepRecord['kind'] = 'fault'): StepRecord {
  return { phase: 'failure', name, kind, appliedMs, ...(undoneMs !== undefined && { undoneMs }) }
}

export const passed: Journal = {
  ...frame,
  ...measured({
    lengths: { preparation: 0.4, baseline: 20, failure: 20, recovery: 5, validation: 3 },
    probes: {
      'checkout answers': {
        perSecond: 20,
        service: (at, random) => around(at > 20.4 && at < 40.4 ? 60 : 20, random),
      },
    },
  }),
  id: 'run-1',
  outcome: 'passed',
  steps: [fault('latency on payments', 20_400, 40_400)],
  detectionMs: null,
  recoveryMs: { first: 21, stable: 60 },
  verdicts: [
    verdict('errorRate', 'pass', { measured: 0, interval: [0, 0.0095], n: 400, why: '0 of 400 attempts failed' }),
    verdict('latencyDegradation', 'pass', { measured: 41, threshold: 500, interval: [38, 44], n: 800 }),
  ],
  injections: { 'latency on payments': 402 },
  machine: [
    { cpu: 0.2, memory: 0.5 },
    { cpu: 0.3, memory: 0.5 },
  ],
}

/** Five minutes; a slow dependency, then errors, with a load beside it. */
export const violated: Journal = {
  ...frame,
  ...measured({
    lengths: { preparation: 0.6, baseline: 60, stress: 30, failure: 140, recovery: 50, validation: 19.4 },
    probes: {
      'checkout answers': { perSecond: 20, service: checkout },
      'cart answers': { perSecond: 5, service: (at, random) => around(at > 60.6 && at < 90.6 ? 14 : 11, random) },
    },
  }),
  id: 'run-2',
  outcome: 'violated',
  steps: [
    { phase: 'stress', name: 'load on /checkout', kind: 'load', appliedMs: 60_600, undoneMs: 90_600 },
    fault('latency on payments', 100_600, 160_600),
    {
      ...fault('stress cpu', 120_600, 140_600, 'stress'),
      requested: { workers: 2, loadPercent: 80, cpuCores: 1.6 },
      achieved: { workers: 2, loadPercent: 79.4, cpuCores: 1.588, averageLoadPercent: 78 },
      notes: ['2 threads at most here'],
    },
    fault('http_error on payments', 175_600, 215_600),
    fault('partition api → orders', 222_600, 227_600, 'partition'),
    { phase: 'validation', name: 'service_health_check', kind: 'check', appliedMs: 281_000, undoneMs: 281_200 },
  ],
  outages: [{ fromMs: 222_650, untilMs: 231_400 }],
  detectionMs: 4120,
  recoveryMs: { first: 1840, stable: 14_300 },
  verdicts: [
    verdict('mttr', 'pass', { measured: 8750, threshold: 45_000, n: 1, why: '1 outage, it ended after 8.75 s' }),
    verdict('errorRate', 'fail', {
      measured: 0.093,
      interval: [0.084, 0.103],
      n: 3800,
      why: '353 of 3,800 attempts failed: 9.3 %, at least 8.4 % with 95 % confidence, limit 5 %',
    }),
    verdict('availability', 'fail', { measured: 0.907, threshold: 0.95, interval: [0.897, 0.916], n: 3800 }),
    verdict('latencyDegradation', 'fail', { measured: 1420, threshold: 500, interval: [1310, 1560], n: 5250 }),
    verdict('recoveryTime', 'inconclusive', {
      measured: 14_300,
      threshold: 10_000,
      interval: [8200, 16_100],
      n: 10,
      why: 'stable after 14.3 s, but it may truly be as little as 8.2 s',
    }),
    verdict('orders are consistent', 'pass', { measured: 0, threshold: 0, n: 2 }),
  ],
  injections: { 'latency on payments': 1210, 'http_error on payments': 2960, 'partition api → orders': 5 },
  machine: Array.from({ length: 300 }, (_, second) => ({
    atMs: second * 1000,
    cpu: second > 120 && second < 141 ? 0.97 : 0.31,
    memory: 0.52,
    eventLoopLagMs: 0.3,
    networkBytesPerSecond: 81_000,
  })),
}

function checkout(at: number, random: Random): number | string {
  if (at > 60.6 && at < 90.6) return around(34, random)
  // The queue grows as long as payments are slow.
  if (at > 100.6 && at < 160.6) {
    const latencyMs = around(220 + (at - 100.6) * 22, random)
    return latencyMs > 2000 ? 'timeout' : latencyMs
  }
  if (at > 175.6 && at < 215.6 && random.next() < 0.3) return 'status 503, expected 200 to 299'
  if (at > 222.6 && at < 229.4) return 'timeout'
  if (at > 229.4 && at < 241.9) return around(30 + (241.9 - at) * 60, random)
  return around(24, random)
}

export const inconclusive: Journal = {
  ...frame,
  ...measured({
    lengths: { preparation: 0.2, baseline: 3, failure: 3, recovery: 1 },
    probes: { 'checkout answers': { perSecond: 10, service: (_at, random) => around(20, random) } },
  }),
  id: 'run-3',
  outcome: 'inconclusive',
  steps: [fault('latency on payments', 3200, 6200)],
  verdicts: [
    verdict('errorRate', 'inconclusive', {
      measured: 0,
      interval: [0, 0.113514],
      n: 30,
      why: '0 of 30 attempts failed, which still allows 11.4 %, limit 5 %',
    }),
  ],
  injections: { 'latency on payments': 0 },
}

export const aborted: Journal = {
  ...frame,
  ...measured({
    lengths: { preparation: 0.2, baseline: 5, failure: 2.3 },
    probes: {
      'checkout answers': { perSecond: 20, service: (at, random) => (at > 5.2 ? 'ECONNREFUSED' : around(20, random)) },
    },
  }),
  id: 'run-4',
  outcome: 'aborted',
  reason: 'error rate 100 % for 2 s, above 50 %',
  steps: [{ ...fault('partition api → payments', 5200, 7500, 'partition'), error: 'the proxy api-payments is gone' }],
  outages: [{ fromMs: 5200 }],
  detectionMs: 12,
}

/** The fault is gone, and it stays down. */
export const neverRecovered: Journal = {
  ...frame,
  ...measured({
    lengths: { preparation: 0.2, baseline: 10, failure: 10, recovery: 15 },
    probes: {
      'checkout answers': { perSecond: 20, service: (at, random) => (at > 10.2 ? stuck(at) : around(20, random)) },
    },
  }),
  id: 'run-5',
  outcome: 'violated',
  steps: [fault('reset_peer on orders', 10_200, 20_200)],
  outages: [{ fromMs: 10_200 }],
  detectionMs: 9,
  verdicts: [
    verdict('mttr', 'fail', { measured: null, threshold: 30_000, n: 0, why: '1 outage, which did not end' }),
    verdict('errorRate', 'fail', { measured: 1, interval: [0.99, 1], n: 500 }),
    verdict('recoveryTime', 'fail', { measured: null, threshold: 10_000, n: 0, why: 'not stable within 15 s' }),
  ],
  injections: { 'reset_peer on orders': 37 },
}

function stuck(at: number): string {
  return at < 20.2 ? 'ECONNRESET' : 'status 500: timed out waiting for a connection of the pool'
}

export const cleanupIncomplete: Journal = {
  ...passed,
  id: 'run-6',
  outcome: 'cleanup-incomplete',
  reason: 'the server did not answer',
  steps: [fault('latency on payments', 20_400)],
}

/** Each text wants to be more than a text. */
export const hostile: Journal = {
  ...passed,
  id: 'run/../7',
  title: '</script><script>globalThis.hacked = 1</script><img src=x onerror="hacked=1"> | `x` @everyone #1',
  environment: '"><svg onload=hacked=1>&amp;\u2028',
  outcome: 'violated',
  steps: [fault('<!--<script> on \u0001 "]]>"', 20_400, 40_400)],
  verdicts: [verdict("<b onclick='hacked=1'>a|b</b>", 'fail', { why: '[click](javascript:hacked=1)\n\n# No heading' })],
  reasons: { 'checkout answers': { '<iframe src=javascript:hacked=1>': 3 } },
  injections: { '${hacked}': 1, __proto__x: 2 },
}

export const all = {
  empty,
  passed,
  violated,
  inconclusive,
  aborted,
  neverRecovered,
  cleanupIncomplete,
  hostile,
} as const

/** Asked every 5 s of five minutes, and once without an answer. */
export const queueDepth: MetricRecord = {
  points: Array.from({ length: 60 }, (_, index) => [index * 5000, index < 20 ? 3 : 40 + index] as const),
  missed: { timeout: 1 },
}
