// Asks the probes of the steady state hypothesis, one after the other, until one does not hold.
import { ActivityFailed } from './activity-failed.ts'
import { isDry, runActivity, type ActivityContext } from './activity.ts'
import type { Hypothesis, HypothesisProbe, ToleranceObject } from './document.ts'
import { isObject } from '../../admin/config/mistakes.ts'
import type { ActivityRun, SteadyState } from './journal.ts'
import { callProvider } from './provider.ts'
import { compileTolerance } from './tolerance.ts'
import { asPythonText } from './values.ts'

export interface HypothesisContext extends ActivityContext {
  /** Undefined: strict. */
  readonly compat: 'chaostoolkit' | undefined
}

export async function judge(
  { probes }: Hypothesis,
  context: HypothesisContext,
  signal: AbortSignal,
): Promise<SteadyState> {
  const runs: ActivityRun[] = []
  for (const probe of probes) {
    const run = await runActivity(probe, context, signal)
    if (!run || signal.aborted) return { steady_state_met: null, probes: [...runs, ...(run ? [run] : [])] }
    const isMet =
      run.status === 'succeeded' && (isDry(probe, context.dry) || (await holds(probe, run.output, context, signal)))
    runs.push({ ...run, tolerance_met: isMet })
    if (isMet) continue
    context.log(`probe ${probe.name} is not in its tolerance`)
    return { steady_state_met: false, probes: runs }
  }
  return { steady_state_met: true, probes: runs }
}

/** Whether it ended with a probe that could not be asked: then nothing is known. */
export function isUnknown({ probes }: SteadyState): boolean {
  return probes.at(-1)?.status === 'failed'
}

function holds(
  { tolerance }: HypothesisProbe,
  output: unknown,
  context: HypothesisContext,
  signal: AbortSignal,
): Promise<boolean> {
  const test = compileTolerance(tolerance, context.values)
  return test(output, (value) => ask(tolerance as Extract<ToleranceObject, { type: 'probe' }>, value, context, signal))
}

/** The original takes any answer for a yes; the specification asks for a successful status. */
async function ask(
  { provider }: Extract<ToleranceObject, { type: 'probe' }>,
  value: unknown,
  context: HypothesisContext,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const answer = await callProvider(provider, context, signal, { value: asPythonText(value) })
    if (context.compat !== undefined) return true
    const status = isObject(answer) ? answer['status'] : undefined
    return typeof status === 'number' && (provider.type === 'http' ? status < 400 : status === 0)
  } catch (error) {
    if (error instanceof ActivityFailed) return false
    throw error
  }
}
