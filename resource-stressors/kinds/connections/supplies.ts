// What connections take of this machine, where a server may be as well.
import { openFileSupply } from '../../machine/open-files.ts'
import type { Machine } from '../../machine/machine.ts'
import { memorySupply, type Supply } from '../../machine/supply.ts'

/** For each: what Node and the kernel keep here. Measured: 6 KiB; a server here takes as much again. */
const BYTES_EACH = 16 * 1024

/** Undefined where the system doesn't tell. */
export function connectionSupplies(machine: Machine, memoryFloorBytes: number): readonly Supply[] | undefined {
  const files = openFileSupply(machine.root)
  if (!files || !machine.hasProc) return undefined
  return [{ ...files, guards: true }, memorySupply(machine, 'connections', BYTES_EACH, memoryFloorBytes)]
}
