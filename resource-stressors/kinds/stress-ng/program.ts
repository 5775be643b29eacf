// The program stress-ng: where it is, which version, what it can do. And the only ways in which it is started.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { refusal } from '../../definition.ts'
import { findProgram } from '../../machine/programs.ts'

export interface StressNg {
  /** The full path. */
  readonly program: string
  /** E.g. `0.15.06`. */
  readonly version: string
  /** All that this version has, also what must not be started. */
  readonly stressors: ReadonlySet<string>
}

/** It only prints a line: tens of milliseconds on a quiet machine. */
const ANSWER_DEADLINE_MS = 5000

const run = promisify(execFile)

/** @throws FaultlineError `stressor_refused` if it is not there, or does not say what it has */
export async function findStressNg(): Promise<StressNg> {
  const program = findProgram('stress-ng')
  if (program === undefined) {
    throw refusal(
      'stress-ng: the program stress-ng is not installed; install its package (apt install stress-ng), or use another type: they need no program',
    )
  }
  try {
    const [version, stressors] = await Promise.all([ask(program, '--version'), ask(program, '--stressors')])
    return {
      program,
      version: /version (\S+)/.exec(version)?.[1] ?? 'of an unknown version',
      stressors: new Set(stressors.trim().split(/\s+/)),
    }
  } catch (error) {
    throw refusal(`stress-ng: ${program} does not say what it has: ${String(error)}`)
  }
}

async function ask(program: string, option: string): Promise<string> {
  const { stdout, stderr } = await run(program, [option], { timeout: ANSWER_DEADLINE_MS, killSignal: 'SIGKILL' })
  return stdout + stderr // by version, one or the other
}

export interface Job {
  readonly stressor: string
  readonly workers: number
  /** After which it ends by itself, should nobody end it. */
  readonly timeoutSeconds: number
}

/**
 * Its arguments, stress-ng(1). Out of memory, a worker is not started again, and all have our own score, the worst: left to
 * itself, it makes its first process hard to kill.
 *
 * @param folder for its temporary files
 */
export function jobArguments({ stressor, workers, timeoutSeconds }: Job, folder: string): string[] {
  const amount = [`--${stressor}`, String(workers), '--timeout', `${timeoutSeconds}s`]
  return [...amount, '--oomable', '--no-oom-adjust', '--log-brief', '--temp-path', folder]
}
