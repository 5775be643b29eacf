// Which process a pid stands for. Numbers are given again: only with its start time is it certain who gets a signal.
import { execFileSync } from 'node:child_process'
import { systemCode } from '../../proxy/errors.ts'
import { readText } from './files.ts'

export interface ProcessIdentity {
  readonly pid: number
  /** When it began, in the system's own words: good for comparison alone. */
  readonly started: string
}

/** Who has this pid now; undefined: nobody, or one that has ended and was not asked for its exit code yet (a zombie). */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? startTicks(pid) : startTime(pid)
  return started === undefined ? undefined : { pid, started }
}

/** Signals this process and no later one of its number. @returns whether it was there */
export function signalProcess({ pid, started }: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (identifyProcess(pid)?.started !== started) return false
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return false
    throw error
  }
}

/** Field 22 of /proc/[pid]/stat, proc_pid_stat(5). The name, field 2, may contain blanks and parentheses. */
function startTicks(pid: number): string | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields?.[0] === 'Z' || fields?.[0] === 'X' ? undefined : fields?.[19]
}

function startTime(pid: number): string | undefined {
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    return undefined
  }
}
