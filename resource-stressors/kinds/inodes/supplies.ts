// What inodes are taken from: those of the file system, and what it keeps them in.
import { fileSystemAt, type FileSystem } from '../../disk/file-system.ts'
import type { Machine } from '../../machine/machine.ts'
import { floorOf, memorySupply, type Supply } from '../../machine/supply.ts'

/** Of a file system in memory: an inode and its entry in a folder, rounded up. */
const MEMORY_BYTES_EACH = 1024
/** The same on disks that make inodes as they need them, e.g. XFS. */
const DISK_BYTES_EACH = 1024

export interface InodeFloors {
  readonly memoryFloorBytes: number
  readonly diskFloorBytes: number
}

export function inodeSupplies(folder: string, machine: Machine, floors: InodeFloors): readonly Supply[] {
  const disk = fileSystemAt(folder)
  const { totalInodes, freeInodes, inMemory } = disk
  const inodes: Supply = {
    name: `inodes on the disk of ${folder}`,
    limit: totalInodes,
    used: totalInodes - freeInodes,
    floor: floorOf(totalInodes),
  }
  const holder = inMemory
    ? memorySupply(machine, 'inodes', MEMORY_BYTES_EACH, floors.memoryFloorBytes)
    : spaceSupply(disk, floors.diskFloorBytes)
  return [inodes, holder]
}

/** Its floor is 5 % without a least size: small disks are those that run out of inodes, and empty files take next to nothing. */
function spaceSupply({ totalBytes, freeBytes }: FileSystem, leastFloorBytes: number): Supply {
  return {
    name: 'inodes that space suffices for',
    limit: Math.floor(totalBytes / DISK_BYTES_EACH),
    used: Math.ceil((totalBytes - freeBytes) / DISK_BYTES_EACH),
    floor: Math.ceil(floorOf(totalBytes, leastFloorBytes) / DISK_BYTES_EACH),
    guards: true,
  }
}
