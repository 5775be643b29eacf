// What each type of stressor does in its child process. Apart from registry.ts: children and threads load nothing else.
import { cpuLoad } from '../kinds/cpu/load.ts'
import { memoryLoad } from '../kinds/memory/load.ts'
import type { StressorType } from '../registry.ts'
import type { Load } from './load.ts'

/**
 * Each is loaded when it is needed: with all of them, every child and every thread of it would take half as long again to
 * start, and 5 MiB more. But for those of which a start within milliseconds is expected.
 */
const loads = {
  cpu: cpuLoad,
  memory: memoryLoad,
  'disk-io': async () => (await import('../kinds/disk-io/load.ts')).diskIoLoad,
  'disk-fill': async () => (await import('../kinds/disk-fill/load.ts')).diskFillLoad,
  inodes: async () => (await import('../kinds/inodes/load.ts')).inodesLoad,
  process: async () => (await import('../kinds/process/load.ts')).processLoad,
  container: async () => (await import('../kinds/container/load.ts')).containerLoad,
  connections: async () => (await import('../kinds/connections/load.ts')).connectionsLoad,
  'file-descriptors': async () => (await import('../kinds/file-descriptors/load.ts')).fileDescriptorsLoad,
  processes: async () => (await import('../kinds/processes/load.ts')).processesLoad,
  'page-cache': async () => (await import('../kinds/page-cache/load.ts')).pageCacheLoad,
  'stress-ng': async () => (await import('../kinds/stress-ng/load.ts')).stressNgLoad,
} satisfies Record<StressorType, unknown>

/** @throws if there is none: the supervisor has checked the type */
export async function findLoad(type: string): Promise<Load<unknown, unknown>> {
  const load = new Map<string, unknown>(Object.entries(loads)).get(type)
  if (load === undefined) throw new Error(`no load for stressors of type ${type}`)
  return (typeof load === 'function' ? await (load as () => Promise<unknown>)() : load) as Load<unknown, unknown>
}
