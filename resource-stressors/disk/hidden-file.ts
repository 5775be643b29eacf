// A file without a name: nobody finds it, and its space is free again as soon as the process that has it open is gone.
import { spawnSync } from 'node:child_process'
import { randomFillSync, randomUUID } from 'node:crypto'
import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../proxy/errors.ts'

const MIB = 2 ** 20
/** Allocated at a time: that takes some milliseconds, after which there is time for a look at the floor. */
export const ALLOCATION_BYTES = 256 * MIB
/** The same where it has to be written, on a slow disk. */
export const WRITE_BYTES = 4 * MIB

/** `st_blocks` counts these, whatever the file system's blocks are: stat(2). */
const STAT_BLOCK_BYTES = 512
/** The flag of Linux, open(2); Node has no name for it. It is no good without the folder's flag. */
const O_TMPFILE = 0o20000000
/** What file systems say that don't have it: some NFS, overlays of old kernels. */
const NO_TMPFILE = new Set<string | undefined>(['EOPNOTSUPP', 'ENOTSUP', 'EISDIR'])

export class HiddenFile {
  readonly fd: number
  #sizeBytes = 0
  #allocator: readonly string[]
  /** Filled when it is needed for the first time. */
  #block: Uint8Array | undefined

  /**
   * @param allocator the command line of a program `fallocate`; empty if there is none
   * @param flags more for open(2), e.g. O_DIRECT
   * @throws what the system says
   */
  constructor(folder: string, allocator: readonly string[] = [], flags = 0) {
    this.fd = openHidden(folder, constants.O_RDWR | flags)
    this.#allocator = allocator
  }

  /** All of it has been allocated. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** By the count of the file system. */
  get allocatedBytes(): number {
    return fstatSync(this.fd).blocks * STAT_BLOCK_BYTES
  }

  /**
   * Makes it larger by so much, at most {@link ALLOCATION_BYTES}, or less: all of it is allocated, nothing is a hole.
   *
   * @returns whether there was space for it; if not, it is as it was
   */
  allocate(bytes: number): boolean {
    const stepBytes = Math.min(bytes, ALLOCATION_BYTES)
    if (this.#allocator.length === 0) return this.write(bytes)
    if (this.#runAllocator(stepBytes)) {
      this.#sizeBytes += stepBytes
      return true
    }
    this.shrinkTo(this.#sizeBytes)
    const written = this.write(bytes)
    // Written it could be: it is not space that is missing, but the allocation that this file system does not have.
    if (written) this.#allocator = []
    return written
  }

  /** Node has no call for it. The program opens our file by the descriptor that it inherits. */
  #runAllocator(bytes: number): boolean {
    const [program = '', ...options] = this.#allocator
    const range = ['-o', String(this.#sizeBytes), '-l', String(bytes)]
    const { error } = spawnSync(program, [...options, ...range, '/proc/self/fd/3'], {
      stdio: ['ignore', 'ignore', 'ignore', this.fd],
    })
    if (error) throw error
    // More than an exit code: some file systems say yes and keep no space.
    return this.allocatedBytes >= this.#sizeBytes + bytes
  }

  /**
   * The same by writing random bytes, which no file system can compress, and waiting until they are on the disk. At most
   * {@link WRITE_BYTES} at a time.
   */
  write(bytes: number): boolean {
    const stepBytes = Math.min(bytes, WRITE_BYTES)
    this.#block ??= randomFillSync(alignedMemory(WRITE_BYTES))
    try {
      for (let written = 0; written < stepBytes;) {
        written += writeSync(this.fd, this.#block, written, stepBytes - written, this.#sizeBytes + written)
      }
      fsyncSync(this.fd)
    } catch (error) {
      this.shrinkTo(this.#sizeBytes)
      if (systemCode(error) === 'ENOSPC') return false
      throw error
    }
    this.#sizeBytes += stepBytes
    return true
  }

  /** Gives back what is more than this. */
  shrinkTo(bytes: number): void {
    ftruncateSync(this.fd, bytes)
    this.#sizeBytes = bytes
  }

  /** Gives everything back. */
  close(): void {
    closeSync(this.fd)
  }
}

/**
 * Memory that begins at a page, as O_DIRECT needs it: what can grow is mapped by itself, other buffers begin anywhere.
 */
export function alignedMemory(bytes: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: bytes }))
}

/**
 * Opens a file that never has a name, or loses it at once where that can't be had.
 *
 * @throws what the system says
 */
function openHidden(folder: string, flags: number): number {
  const mode = 0o600
  if (process.platform === 'linux') {
    try {
      return openSync(folder, O_TMPFILE | constants.O_DIRECTORY | constants.O_EXCL | flags, mode)
    } catch (error) {
      if (!NO_TMPFILE.has(systemCode(error))) throw error
    }
  }
  const path = join(folder, `.faultline-${randomUUID()}`)
  try {
    return openSync(path, constants.O_CREAT | constants.O_EXCL | flags, mode)
  } finally {
    rmSync(path, { force: true }) // with flags that are refused, some systems leave a file
  }
}
