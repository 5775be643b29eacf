// What is given back has a right of way: whoever stops a stressor may do so because the machine has too much to do.
import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'

/** A nice value, sched(7): nine times the share of a usual thread, and not so much that nobody else gets anywhere. */
const NICE = -10

/** For this thread alone: what it does next should be over soon. Only root may; for others all stays as it is. */
export function hurry(): void {
  try {
    // Priorities are those of threads, whatever setpriority(2) calls them: `4711/task/4712`.
    const [thread] = readlinkSync('/proc/thread-self').split('/').slice(-1)
    setPriority(Number(thread), NICE)
  } catch {
    // It takes longer then, where others are busy.
  }
}
