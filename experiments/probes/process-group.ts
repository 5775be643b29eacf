// Programs that are run in a process group of their own, so that what they have started ends with them.
import type { ChildProcess } from 'node:child_process'
import { systemCode } from '../../proxy/errors.ts'

/** Windows has no process groups. To be given to spawn() as `detached`. */
export const hasGroups = process.platform !== 'win32'

/** Kills a child that was started with `detached: hasGroups`, and all of its group. Nothing if nobody is left. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return // it could not be started
  if (!hasGroups) {
    child.kill('SIGKILL')
    return
  }
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    // Nobody of the group is left; macOS says EPERM where only a zombie is.
    if (systemCode(error) !== 'ESRCH' && systemCode(error) !== 'EPERM') throw error
  }
}
