// What each type of stressor does in its child process. Apart from registry.ts: children and threads load nothing else.
import { cpuLoad } from '../kinds/cpu/load.ts'
import { memoryLoad } from '../kinds/memory/load.ts'
import type { StressorType } from '../registry.ts'
import type { Load } from './load.ts'

const loads = {
  cpu: cpuLoad,
  memory: memoryLoad,
} satisfies Record<StressorType, unknown>

/** @throws if there is none: the supervisor has checked the type */
export function findLoad(type: string): Load<unknown, unknown> {
  const load = new Map<string, unknown>(Object.entries(loads)).get(type)
  if (load === undefined) throw new Error(`no load for stressors of type ${type}`)
  return load as Load<unknown, unknown>
}
