// Processes: so many that the system, a container or a user can't have many more.
import { existsSync } from 'node:fs'
import { Type } from '@sinclair/typebox'
import { defineStressor, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { readText } from '../../machine/files.ts'
import { planCount, type CountedAttributes } from '../counted.ts'
import { TaskTable } from '../../machine/tasks.ts'
import type { ProcessesTask } from './load.ts'
import { processSupplies, SHELL } from './supplies.ts'

/**
 * Measured on two cores with Linux 6.18: 5000 copies of dash have ended after 350 to 470 ms, most of which the kernel
 * takes to give their memory back: 0.12 ms of a core each, killed or by themselves. 15,000 take 2.5 s, a third more each.
 */
const MAX_PROCESSES = 5000

export const processes = defineStressor<CountedAttributes, ProcessesTask>({
  type: 'processes',
  describe:
    'Starts processes that sleep, each 90 KB: where few ids are left, fork, and in most languages the start of a thread, ' +
    'fail with EAGAIN. Counts against pids.max of the container, kernel.pid_max, kernel.threads-max and the RLIMIT_NPROC ' +
    'of a user other than root. At least 5 % of each, and 256, stay free. At most 5000: more can not be ended within a ' +
    'second.',
  schema: Type.Object({
    count: Type.Optional(Type.Integer({ minimum: 1, description: 'How many to have, at most 5000.' })),
    leaveFree: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Has as many as leave so many free, whatever others do.' }),
    ),
  }),
  plan,
})

function plan(attributes: CountedAttributes, context: PlanContext): Plan<ProcessesTask> {
  const { machine, memoryFloorBytes } = context
  const supplies = processSupplies(machine, new TaskTable(machine.root), memoryFloorBytes)
  if (!supplies) throw refusal('processes: expected Linux with /proc: elsewhere nothing tells when to stop')
  if (readText('/proc/thread-self/children') === undefined) {
    throw refusal('processes: expected a kernel with CONFIG_PROC_CHILDREN: without, what is there can not be counted')
  }
  if (!existsSync(SHELL)) throw refusal(`processes: expected ${SHELL}: a shell has the processes`)
  const { task, ...planned } = planCount('processes', attributes, supplies, context, MAX_PROCESSES)
  return { ...planned, task: { ...task, machineRoot: machine.root, memoryFloorBytes } }
}
