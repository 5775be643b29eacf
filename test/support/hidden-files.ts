// Files that a process has open and that have no name: what a look into folders does not find.
import { readdirSync, statfsSync, statSync, type Stats } from 'node:fs'

function hiddenFiles(pid: number): Stats[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    const stats = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false })
    return stats !== undefined && stats.isFile() && stats.nlink === 0 ? [stats] : []
  })
}

/** Space that they take, by the count of the file system: without holes. */
export function hiddenBytes(pid: number): number {
  return hiddenFiles(pid).reduce((sum, { blocks }) => sum + blocks * 512, 0)
}

/** Free for users on the disk of this folder, as df says it. */
export function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}
