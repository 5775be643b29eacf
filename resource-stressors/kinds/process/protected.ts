// Processes that a stressor must never touch: those that it takes to end it again, and those that the machine stands on.
import { seeProcess, type SeenProcess } from './processes.ts'

/** The first process of a machine or container: without it all others end. */
const FIRST_PID = 1

/** How stressors look in a list of processes: by the title that they give themselves, or by their program before that. */
const STRESSOR_TITLE = /^faultline (?:stressor|guard): /
const STRESSOR_PROGRAM = /[\\/]resource-stressors[\\/](?:child|guard)[\\/]main\.[cm]?[jt]s(?: |$)/

/** Says why a process must not be touched, if that is so. */
export type Protection = (seen: SeenProcess) => string | undefined

/** @param root where `proc` is looked for, `/` */
export function protection(root: string): Protection {
  const ancestors = ancestorsOf(root, process.pid)
  return (seen) => {
    const { pid, threadGroupPid, commandLine } = seen
    if (pid === FIRST_PID) return 'the first process, on which all others depend'
    if (seen.isKernelThread) return 'a thread of the kernel'
    if (pid === process.pid) return 'the process that would have to end it again'
    if (threadGroupPid !== pid) return `a thread of process ${threadGroupPid}`
    if (ancestors.has(pid)) return 'an ancestor of the process that would have to end it again'
    if (STRESSOR_TITLE.test(commandLine) || STRESSOR_PROGRAM.test(commandLine)) return 'a process of a stressor'
    return undefined
  }
}

function ancestorsOf(root: string, pid: number): Set<number> {
  const ancestors = new Set<number>()
  for (let parent = seeProcess(root, pid)?.parentPid; parent; parent = seeProcess(root, parent)?.parentPid) {
    if (ancestors.has(parent)) break // read while numbers were given again
    ancestors.add(parent)
  }
  return ancestors
}
