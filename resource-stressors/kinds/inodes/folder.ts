// A folder full of empty files: each takes an inode, and so does the folder. A file must have a name, or be held open, of
// which a process may have far too few; so these have names, and somebody has to remove them.
import { closeSync, mkdirSync, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../../proxy/errors.ts'

/** How the names of further folders begin; files are called by numbers. */
const PART = 'part-'
/** So many in turn have the same folder: few files need no second one, which would take an inode as well. */
const FILES_IN_TURN = 1000

/**
 * Where there are many files, some of them are in folders of their own: the kernel removes one file of a folder at a time,
 * but those of several folders at once.
 */
export class InodeFolder {
  readonly #folders: readonly string[]
  #madeFolders = 0
  #files = 0

  /**
   * @param parts how many folders there are to be, itself included
   * @throws what the system says
   */
  constructor(folder: string, parts: number) {
    this.#folders = Array.from({ length: parts }, (_, part) => partOf(folder, part))
    this.#makeFolderFor(0)
  }

  /** How many inodes it takes, its own included. */
  get inodes(): number {
    return this.#files + this.#madeFolders
  }

  /** Takes so many more, or as many as there are. @returns whether it could take all */
  add(count: number): boolean {
    const wanted = this.inodes + count
    while (this.inodes < wanted) {
      try {
        if (this.#turnOf(this.#files) >= this.#madeFolders) this.#makeFolderFor(this.#files)
        else this.#makeFile()
      } catch (error) {
        if (systemCode(error) === 'ENOSPC') return false
        throw error
      }
    }
    return true
  }

  /** Gives back so many, or all but the folders. */
  remove(count: number): void {
    for (let left = Math.min(count, this.#files); left > 0; left--) removeFile(this.#file(--this.#files))
  }

  #makeFile(): void {
    closeSync(openSync(this.#file(this.#files), 'wx'))
    this.#files++
  }

  #makeFolderFor(index: number): void {
    mkdirSync(this.#folderOf(index), { mode: 0o700 })
    this.#madeFolders++
  }

  #turnOf(index: number): number {
    return Math.floor(index / FILES_IN_TURN) % this.#folders.length
  }

  #folderOf(index: number): string {
    return this.#folders[this.#turnOf(index)] as string
  }

  #file(index: number): string {
    return join(this.#folderOf(index), String(index))
  }
}

/** The first part is the folder itself. */
function partOf(folder: string, part: number): string {
  return part === 0 ? folder : join(folder, `${PART}${part}`)
}

/**
 * Removes the files of one part, and its folder if it is not that of the other parts.
 *
 * @throws what the system says
 */
export function removePart(folder: string, part: number): void {
  const path = partOf(folder, part)
  ignoringAbsence(() => {
    for (const name of readdirSync(path)) if (!name.startsWith(PART)) removeFile(join(path, name))
    if (part > 0) rmdirSync(path)
  })
}

/**
 * Removes such a folder with all that is in it. Takes a second or more for a hundred thousand files.
 *
 * @throws what the system says, also if somebody adds files meanwhile; then it may be called again
 */
export function removeFolder(folder: string): void {
  ignoringAbsence(() => {
    for (const name of readdirSync(folder)) {
      if (name.startsWith(PART)) removeFolder(join(folder, name))
      else removeFile(join(folder, name))
    }
    rmdirSync(folder)
  })
}

function removeFile(path: string): void {
  ignoringAbsence(() => unlinkSync(path))
}

/** It may be gone: of temporary files, others make tidy as well. */
function ignoringAbsence(remove: () => void): void {
  try {
    remove()
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}

/** For the guard. */
export async function readyToRemove(folder: string): Promise<() => Promise<void>> {
  return async () => removeFolder(folder)
}
