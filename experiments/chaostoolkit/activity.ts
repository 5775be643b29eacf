// Runs one activity and writes down how it went.
import type { Clock } from '../../proxy/clock.ts'
import { ActivityFailed } from './activity-failed.ts'
import type { Activity } from './document.ts'
import type { ActivityRun } from './journal.ts'
import { callProvider, type ProviderContext } from './provider.ts'

/** What is not done in a dry run: `activities` is probes and actions, `pause` the pauses alone. */
export type DryRun = 'probes' | 'actions' | 'activities' | 'pause'

export interface ActivityContext extends ProviderContext {
  readonly clock: Clock
  readonly dry: DryRun | undefined
  readonly log: (message: string) => void
}

export function isDry({ type }: Pick<Activity, 'type'>, dry: DryRun | undefined): boolean {
  return dry === 'activities' || dry === `${type}s`
}

/** @returns undefined if it was given up before it began */
export async function runActivity(
  activity: Activity,
  context: ActivityContext,
  signal: AbortSignal,
): Promise<ActivityRun | undefined> {
  const { clock, dry, log } = context
  const skipped = isDry(activity, dry)
  const pauses = context.values.substitute(activity.pauses) as { readonly before?: number; readonly after?: number }
  const pause = async (seconds: number | undefined, when: string): Promise<void> => {
    if (seconds === undefined || seconds === 0) return
    log(`pausing ${when} ${activity.name} for ${seconds} s`)
    if (!skipped && dry !== 'pause') await wait(seconds * 1000, clock, signal)
  }
  await pause(pauses.before, 'before')
  if (signal.aborted) return undefined
  log(`${activity.type} ${activity.name}${activity.background ? ' in the background' : ''}`)
  const startMs = clock.wallTimeMs()
  const began = clock.now()
  const outcome = skipped ? { output: null, status: 'succeeded' as const } : await attempt(activity, context, signal)
  if (outcome.status === 'failed') log(`${activity.name} failed: ${outcome.exception.join('')}`)
  const duration = (clock.now() - began) / 1000
  const run = {
    activity: activity.source,
    ...outcome,
    start: toText(startMs),
    end: toText(clock.wallTimeMs()),
    duration,
  }
  await pause(pauses.after, 'after')
  return run
}

type Attempt =
  | { readonly output: unknown; readonly status: 'succeeded' }
  | { readonly output: null; readonly status: 'failed'; readonly exception: readonly string[] }

async function attempt({ provider }: Activity, context: ActivityContext, signal: AbortSignal): Promise<Attempt> {
  try {
    return { output: (await callProvider(provider, context, signal)) ?? null, status: 'succeeded' }
  } catch (error) {
    if (!(error instanceof ActivityFailed)) throw error
    return { output: null, status: 'failed', exception: [error.message] }
  }
}

/** Until then, or until the signal. */
export async function wait(delayMs: number, clock: Clock, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clock.clearTimer(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = clock.setTimer(end, delayMs)
    signal.addEventListener('abort', end)
  })
}

export function toText(wallTimeMs: number): string {
  return new Date(wallTimeMs).toISOString()
}
