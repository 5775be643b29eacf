// Programs that are run in a process group of their own, so that what they have started ends with them.
import type { ChildProcess } from 'node:child_process'
import { systemCode } from '../../proxy/errors.ts'

/** Windows has no process groups. To be given to spawn() as `detached`. */
export const hasGroups = process.platform !== 'win32'

/** Kills a child that was started with `detached: hasGroups`, and all of its group. Nothing if nobody is left. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return // it could not be started
  if (hasGroups) killGroupOf(child.pid)
  else child.kill('SIGKILL')
}

/** @param pid of the first of the group. Whoever calls knows that the number was not given to others */
export function killGroupOf(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    // Nobody of the group is left; macOS says EPERM where only a zombie is.
    if (systemCode(error) !== 'ESRCH' && systemCode(error) !== 'EPERM') throw error
  }
}
