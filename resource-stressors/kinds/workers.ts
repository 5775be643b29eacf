// How many threads or processes may compute: more press no harder, they only keep everybody else waiting for longer.
import { invalidAttribute, type PlanContext } from '../definition.ts'

/** The admin API has to stay responsive too. */
const MAX_WORKERS_PER_CORE = 4

/**
 * @param asked all: one for each core that this machine or container has
 * @throws FaultlineError naming the attribute `workers`
 */
export function countWorkers(asked: number | 'all', { machine, threadsInUse, field }: PlanContext): number {
  const wholeCores = Math.ceil(machine.cpu().usableCores)
  const workers = asked === 'all' ? wholeCores : asked
  const left = MAX_WORKERS_PER_CORE * wholeCores - threadsInUse
  if (workers <= left) return workers
  const used = threadsInUse > 0 ? ` less ${threadsInUse} that other stressors have` : ''
  const expected = `at most ${Math.max(0, left)}, ${MAX_WORKERS_PER_CORE} for each of ${wholeCores} cores${used}`
  throw invalidAttribute(field('workers'), expected, workers)
}
