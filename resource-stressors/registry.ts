// The one list of stressors. A new kind is a folder in kinds/, a line here, and a line in child/loads.ts.
import type { StressorDefinition } from './definition.ts'
import { connections } from './kinds/connections/definition.ts'
import { containerStressor } from './kinds/container/definition.ts'
import { cpu } from './kinds/cpu/definition.ts'
import { diskFill } from './kinds/disk-fill/definition.ts'
import { diskIo } from './kinds/disk-io/definition.ts'
import { fileDescriptors } from './kinds/file-descriptors/definition.ts'
import { inodes } from './kinds/inodes/definition.ts'
import { memory } from './kinds/memory/definition.ts'
import { pageCache } from './kinds/page-cache/definition.ts'
import { processStressor } from './kinds/process/definition.ts'
import { processes } from './kinds/processes/definition.ts'
import { stressNg } from './kinds/stress-ng/definition.ts'

export const stressors = {
  cpu,
  memory,
  'disk-io': diskIo,
  'disk-fill': diskFill,
  inodes,
  process: processStressor,
  container: containerStressor,
  connections,
  'file-descriptors': fileDescriptors,
  processes,
  'page-cache': pageCache,
  'stress-ng': stressNg,
}

export type StressorType = keyof typeof stressors

const byType: ReadonlyMap<string, StressorDefinition> = new Map(
  Object.values(stressors).map((definition) => [definition.type, definition as unknown as StressorDefinition]),
)

/** The definition of a type of stressor, if there is one. */
export function findStressorDefinition(type: string): StressorDefinition | undefined {
  return byType.get(type)
}

export function stressorTypes(): string[] {
  return [...byType.keys()]
}
