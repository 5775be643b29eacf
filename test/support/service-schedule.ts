// A service whose every answer is known beforehand, and what is true of it: as a function of time, as a probe on a clock
// that is moved by hand, and as a real HTTP server.
import { setTimeout as delay } from 'node:timers/promises'
import type { ManualClock } from '../../proxy/clock.ts'
import type { Probe, ProbeAnswer } from '../../experiments/probes/probe.ts'
import { startHttpService, type HttpService } from './http-service.ts'

/** How the service is from `fromMs` on, until the next stretch begins. */
export interface Stretch {
  readonly fromMs: number
  /** Of each answer. */
  readonly latencyMs: number
  /** Answers are errors, or come only when the stretch is over and after its latency; else they are good. */
  readonly trouble?: 'errors' | 'stall'
}

/** What is true of an attempt. */
export interface TrueAttempt {
  readonly startMs: number
  readonly latencyMs: number
  readonly good: boolean
}

export function trueAttempt(schedule: readonly Stretch[], startMs: number, timeoutMs: number): TrueAttempt {
  const index = schedule.findLastIndex(({ fromMs }) => fromMs <= startMs)
  const stretch = schedule[index]!
  const waitMs = stretch.trouble === 'stall' ? schedule[index + 1]!.fromMs - startMs : 0
  const latencyMs = waitMs + stretch.latencyMs
  if (latencyMs > timeoutMs) return { startMs, latencyMs: timeoutMs, good: false }
  return { startMs, latencyMs, good: stretch.trouble !== 'errors' }
}

/** The attempts of an open loop, and so what it should have seen. */
export function trueAttempts(
  schedule: readonly Stretch[],
  loop: { readonly ratePerSecond: number; readonly forMs: number; readonly timeoutMs: number },
): TrueAttempt[] {
  const count = (loop.forMs * loop.ratePerSecond) / 1000
  return Array.from({ length: count }, (_, index) =>
    trueAttempt(schedule, (index * 1000) / loop.ratePerSecond, loop.timeoutMs),
  )
}

/** By nearest rank. */
export function truePercentile(latencies: readonly number[], percent: number): number {
  const sorted = latencies.toSorted((a, b) => a - b)
  return sorted[Math.ceil((percent / 100) * sorted.length) - 1]!
}

export function simulatedProbe(
  schedule: readonly Stretch[],
  clock: ManualClock,
  timeoutMs: number,
): Pick<Probe, 'name' | 'run'> {
  return {
    name: 'simulated',
    run: (signal) =>
      new Promise<ProbeAnswer>((resolve) => {
        const { good, latencyMs } = trueAttempt(schedule, clock.now(), timeoutMs)
        clock.setTimer(() => resolve(good ? { good } : { good, reason: 'as scheduled' }), latencyMs)
        signal.addEventListener('abort', () => resolve({ good: false, reason: 'given up' }))
      }),
  }
}

/** Moves time in steps, and lets what waits for it go on after each. All times of a test have to be multiples of them. */
export async function passTime(clock: ManualClock, ms: number, stepMs: number): Promise<void> {
  const endMs = clock.now() + ms
  while (clock.now() < endMs) {
    clock.advance(stepMs)
    // A probe's answer goes through a handful of promises.
    for (let turn = 0; turn < 8; turn++) await Promise.resolve()
  }
}

export interface ScheduledService extends HttpService {
  /** Begins the schedule. @returns when, by performance.now() */
  begin(): number
}

/** Begin its schedule before it is asked. */
export async function startScheduledService(schedule: readonly Stretch[]): Promise<ScheduledService> {
  let begunMs: number | undefined
  const service = await startHttpService((_request, response) => {
    if (begunMs === undefined) throw new Error('the schedule has not begun')
    const { good, latencyMs } = trueAttempt(schedule, performance.now() - begunMs, Infinity)
    void delay(latencyMs).then(() => response.writeHead(good ? 200 : 503).end())
  })
  return Object.assign(service, {
    begin: () => (begunMs = performance.now()),
  })
}
