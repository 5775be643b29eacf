// Processes that die, hang or get slow, as the child does it.
import { defineLoad, type RunningLoad } from '../../child/load.ts'
import { Guard } from '../../guard/guard.ts'
import type { ProcessIdentity } from '../../machine/process-identity.ts'
import { DutyCycle } from './duty-cycle.ts'
import { Ending } from './ending.ts'
import { Hang } from './hang.ts'
import { stateOf } from './processes.ts'
import { StoppedProcesses } from './stopped-processes.ts'

export interface ProcessTask {
  readonly action: 'kill' | 'terminate' | 'hang' | 'slow'
  readonly targets: readonly ProcessIdentity[]
  /** With `slow`: of the time, 0 to 1. */
  readonly share: number
  /** With `slow`. */
  readonly periodMs: number
}

async function start({ action, targets, share, periodMs }: ProcessTask): Promise<RunningLoad> {
  const present = targets.filter((target) => stateOf(target) !== undefined)
  if (present.length === 0) throw new Error('none of the processes is there any more')
  if (action === 'kill' || action === 'terminate') {
    return new Ending(present, action === 'kill' ? 'SIGKILL' : 'SIGTERM')
  }
  const guard = new Guard()
  await guard.arm('process', present)
  const processes = new StoppedProcesses(present, guard)
  return action === 'hang' ? new Hang(processes) : new DutyCycle(processes, share, periodMs)
}

export const processLoad = defineLoad<ProcessTask>({ start })
