// One attempt of a probe, from its intended start to its answer.
import type { Attempt, PhaseName } from '../model.ts'
import type { Probe, ProbeAnswer } from '../probes/probe.ts'

export interface AttemptOptions {
  readonly phase: PhaseName
  /** On the run's own clock, as `now` is. */
  readonly intendedMs: number
  /** Milliseconds since the run began. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/** Also for probes that are not asked at a rate, but once in a phase. */
export async function attemptOnce(
  probe: Pick<Probe, 'name' | 'run'>,
  { phase, intendedMs, now, signal }: AttemptOptions,
): Promise<{ readonly attempt: Attempt; readonly answer: ProbeAnswer }> {
  const answer = await probe.run(signal)
  const { good, reason } = answer
  const outcome = good ? 'good' : 'failed'
  const latencyMs = now() - intendedMs
  const attempt = {
    probe: probe.name,
    phase,
    intendedMs,
    latencyMs,
    outcome,
    ...(reason !== undefined && { reason }),
  } as const
  return { attempt, answer }
}
