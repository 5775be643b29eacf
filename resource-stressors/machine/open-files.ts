// The system's table of open files, /proc/sys/fs (proc_sys_fs(5)), and how many of them one process may have.
import { join } from 'node:path'
import { readText } from './files.ts'
import { resourceLimit } from './resource-limits.ts'
import { floorOf, type Supply } from './supply.ts'

/** Where a kernel has no limit, it says one of 63 bits; no machine could hold a trillion. */
const UNLIMITED = 1e12
/** Files that a process needs for itself: its program, pipes, looks at /proc. */
const RESERVED = 256

/**
 * @param root where `proc` is looked for, `/`
 * @returns undefined where the system doesn't tell
 */
export function openFileSupply(root: string): Supply | undefined {
  const [used, , limit] = (readText(join(root, 'proc/sys/fs/file-nr')) ?? '').split(/\s+/).map(Number)
  if (used === undefined || limit === undefined || !(used >= 0) || !(limit > 0)) return undefined
  return { name: 'open files (fs.file-max)', limit, used, floor: floorOf(limit) }
}

/** Whether the table has an end that can be reached. */
export function isLimited({ limit }: Supply): boolean {
  return limit < UNLIMITED
}

/**
 * As many files as one process of ours may open, beside those it needs for itself: RLIMIT_NOFILE. Node raises the soft
 * limit to the hard one when it starts.
 */
export function openFilesPerProcess(root: string): number {
  const limit = resourceLimit(root, 'openFiles')?.hard ?? 0
  return Math.max(0, Math.min(limit, UNLIMITED) - RESERVED)
}
