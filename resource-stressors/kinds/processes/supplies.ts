// What sleeping processes are taken from.
import type { Machine } from '../../machine/machine.ts'
import { memorySupply, type Supply } from '../../machine/supply.ts'
import type { TaskTable } from '../../machine/tasks.ts'

/** The one that POSIX demands. */
export const SHELL = '/bin/sh'

/** Measured: 90 KiB with dash, 130 with bash. */
const BYTES_EACH = 160 * 1024

/**
 * @param own processes of ours that are known
 * @returns undefined where the system doesn't tell
 */
export function processSupplies(
  machine: Machine,
  table: TaskTable,
  memoryFloorBytes: number,
  own?: readonly string[],
): readonly Supply[] | undefined {
  const tasks = table.supplies(own)
  if (!tasks || !machine.hasProc) return undefined
  return [...tasks, memorySupply(machine, 'processes', BYTES_EACH, memoryFloorBytes)]
}
