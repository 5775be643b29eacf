// What open files are taken from, and by how many.
import { openFileSupply } from '../../machine/open-files.ts'
import type { Machine } from '../../machine/machine.ts'
import { memorySupply, type Supply } from '../../machine/supply.ts'

/** As the kernel reckons when it sets fs.file-max (fs/file_table.c); an open /dev/null takes a quarter of it. */
const BYTES_EACH = 1024

/** Each is a process of some 45 MB. Where RLIMIT_NOFILE is as systemd and Docker set it, one is enough for half a million. */
export const MAX_HOLDERS = 16

/** Undefined where the system doesn't tell. */
export function fileSupplies(machine: Machine, memoryFloorBytes: number): readonly Supply[] | undefined {
  const files = openFileSupply(machine.root)
  if (!files || !machine.hasProc) return undefined
  return [files, memorySupply(machine, 'open files', BYTES_EACH, memoryFloorBytes)]
}
