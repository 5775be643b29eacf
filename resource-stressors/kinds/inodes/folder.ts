// A folder full of empty files: each takes an inode, and so does the folder. A file must have a name, or be held open, of
// which a process may have far too few; so these have names, and somebody has to remove them.
import { closeSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../../proxy/errors.ts'

export class InodeFolder {
  readonly #folder: string
  #files = 0

  /** @throws what the system says */
  constructor(folder: string) {
    mkdirSync(folder, { mode: 0o700 })
    this.#folder = folder
  }

  /** How many inodes it takes, its own included. */
  get inodes(): number {
    return this.#files + 1
  }

  /** Adds so many files, or as many as there are inodes for. @returns whether it could add all */
  add(count: number): boolean {
    for (let left = count; left > 0; left--) {
      try {
        closeSync(openSync(this.#file(this.#files), 'wx'))
      } catch (error) {
        if (systemCode(error) === 'ENOSPC') return false
        throw error
      }
      this.#files++
    }
    return true
  }

  /** Removes so many files, or all. */
  remove(count: number): void {
    for (let left = Math.min(count, this.#files); left > 0; left--) {
      removeFile(this.#file(this.#files - 1))
      this.#files--
    }
  }

  #file(index: number): string {
    return join(this.#folder, String(index))
  }
}

/**
 * Removes such a folder with all that is in it. Takes some seconds for a hundred thousand files on a busy disk.
 *
 * @throws what the system says, also if somebody adds files meanwhile; then it may be called again
 */
export function removeFolder(folder: string): void {
  try {
    for (const name of readdirSync(folder)) removeFile(join(folder, name))
    rmdirSync(folder)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}

/** It may be gone: of temporary files, others make tidy as well. */
function removeFile(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}

/** For the guard. */
export async function readyToRemove(folder: string): Promise<() => Promise<void>> {
  return async () => removeFolder(folder)
}
