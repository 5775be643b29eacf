// Reads files from the first to the last, a piece at a time, and begins anew: what is read is in the page cache then.
import { closeSync, openSync, readSync } from 'node:fs'
import { systemCode } from '../../../proxy/errors.ts'
import type { SourceFile } from './source.ts'

/** Read at a time: well below a millisecond from memory, and few from a disk. */
export const PIECE_BYTES = 2 ** 20

/** What becomes of files that others delete, or keep us from, meanwhile. */
const GONE = new Set(['ENOENT', 'EACCES', 'EPERM', 'ELOOP', 'ENOTDIR', 'ESTALE'])

export class Reader {
  /** How far it has come, counted from the first file; files that are gone count as read. */
  position = 0
  /** How much it has really read, from the start. */
  readBytes = 0
  /** How often a file was gone. */
  missed = 0
  readonly #files: readonly SourceFile[]
  readonly #piece = new Uint8Array(PIECE_BYTES)
  #index = 0
  /** In the file at the index. */
  #offset = 0
  #fd: number | undefined

  constructor(files: readonly SourceFile[]) {
    this.#files = files
  }

  /** Reads on, at most {@link PIECE_BYTES}; not beyond the end of a file, nor of all. */
  read(bytes: number): void {
    const file = this.#files[this.#index]
    if (!file) return
    const fd = this.#open(file)
    const wanted = Math.min(bytes, PIECE_BYTES, file.bytes - this.#offset)
    const had = fd === undefined ? 0 : readSync(fd, this.#piece, 0, wanted, this.#offset)
    this.readBytes += had
    // It is shorter than it was: the rest of it is gone.
    const advanced = had > 0 ? had : file.bytes - this.#offset
    this.#offset += advanced
    this.position += advanced
    if (this.#offset < file.bytes) return
    this.#leave()
    this.#index++
  }

  /** Begins with the first file. */
  rewind(): void {
    this.#leave()
    this.#index = 0
    this.position = 0
  }

  #open({ path }: SourceFile): number | undefined {
    if (this.#fd !== undefined) return this.#fd
    try {
      this.#fd = openSync(path, 'r')
      return this.#fd
    } catch (error) {
      if (!GONE.has(systemCode(error) ?? '')) throw error
      this.missed++
      return undefined
    }
  }

  #leave(): void {
    if (this.#fd !== undefined) closeSync(this.#fd)
    this.#fd = undefined
    this.#offset = 0
  }
}
