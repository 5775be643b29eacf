// The one list of stressors. A new kind is a folder in kinds/, a line here, and a line in child/loads.ts.
import type { StressorDefinition } from './definition.ts'
import { cpu } from './kinds/cpu/definition.ts'
import { memory } from './kinds/memory/definition.ts'

export const stressors = {
  cpu,
  memory,
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
