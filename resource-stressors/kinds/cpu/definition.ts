// CPU load: threads that have a share of a core each, as exactly as the kernel lets them.
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, type Plan, type PlanContext } from '../../definition.ts'
import { findProgram } from '../../machine/programs.ts'
import { countWorkers } from '../workers.ts'
import type { CpuTask } from './load.ts'

export interface CpuAttributes {
  readonly load: number
  readonly workers: number | 'all'
  readonly cores?: readonly number[]
}

export const cpu = defineStressor<CpuAttributes, CpuTask>({
  type: 'cpu',
  describe:
    'Computes: each worker has this share of a core, in slices of 50 ms, and makes up for what others withhold from it ' +
    'as long as the machine has as much to give.',
  schema: Type.Object({
    load: Type.Number({ default: 100, minimum: 0, maximum: 100, description: 'Percent of a core, of each worker.' }),
    workers: Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('all')], {
      default: 'all',
      description:
        'How many there are, at most 4 a core with all stressors together. all: one for each core that this machine or ' +
        'container has; where a quota leaves less than whole cores, load is a share of the quota.',
    }),
    cores: Type.Optional(
      Type.Array(Type.Integer({ minimum: 0 }), {
        minItems: 1,
        maxItems: 1024,
        description: 'Numbers of the cores that workers are bound to, in turns (Linux). Default: any.',
      }),
    ),
  }),
  plan,
})

function plan(attributes: CpuAttributes, context: PlanContext): Plan<CpuTask> {
  const { cores, usableCores } = context.machine.cpu()
  const bound = attributes.cores ?? []
  checkCores(bound, cores, context)
  const wholeCores = Math.ceil(usableCores)
  const workers = countWorkers(attributes.workers, context)
  const loadPercent = attributes.load * (attributes.workers === 'all' ? usableCores / wholeCores : 1)
  const cpuCores = (workers * loadPercent) / 100
  const reachable = Math.min(usableCores, bound.length > 0 ? new Set(bound).size : Infinity)
  const notes: string[] = []
  if (cpuCores > reachable) notes.push(`${cpuCores} cores' worth is more than the ${reachable} that can be had`)
  return {
    requested: { workers, loadPercent, cpuCores },
    notes,
    threads: workers,
    task: { workers, loadPercent, cores: bound },
  }
}

function checkCores(asked: readonly number[], present: readonly number[], { field }: PlanContext): void {
  if (asked.length === 0) return
  const wrong = asked.find((core) => !present.includes(core))
  if (wrong !== undefined) throw invalidAttribute(field('cores'), `some of ${present.join(', ')}`, wrong)
  if (process.platform !== 'linux' || findProgram('taskset') === undefined) {
    throw invalidAttribute(field('cores'), 'nothing: binding to cores needs Linux and its program taskset', asked)
  }
}
