// What a worker does: operations in a file of its own, one after the other, each when it is due.
import { closeSync, constants, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { randomFillSync } from 'node:crypto'
import type { ThreadControl } from '../../child/thread-control.ts'
import { DIRECT_BLOCK_BYTES, DIRECT_FLAG, hasDirectIo } from '../../disk/direct-io.ts'
import { DiskGauge, type DiskLimits } from '../../disk/floor.ts'
import { alignedMemory, ALLOCATION_BYTES, HiddenFile, WRITE_BYTES } from '../../disk/hidden-file.ts'
import { Pace } from './pace.ts'

/** `none`: through the page cache, and nobody waits. */
export type Sync = 'direct' | 'fdatasync' | 'none'

export interface WorkerTask {
  readonly limits: DiskLimits
  /** Of which this is one. */
  readonly workers: number
  readonly blockBytes: number
  /** Of the operations, 0 to 1. */
  readonly readShare: number
  readonly sync: Sync
  /** Of this worker's file; a multiple of the block. */
  readonly fileBytes: number
  /** See {@link Pace}. */
  readonly head: number
  /** Of {@link HiddenFile}. */
  readonly allocator: readonly string[]
}

/** Slot of {@link ThreadControl.targets}: the rate. */
export const OPERATIONS_PER_SECOND = 0
/** Slots of {@link ThreadControl.figures}, from the beginning on. */
export const OPERATIONS = 0
export const BYTES = 1

/** How long to wait for room on the disk, and for the rate to be above 0. */
const CHECK_MS = 100

export function work(task: WorkerTask, control: ThreadControl, begun: () => void): void {
  const { limits, sync, readShare } = task
  if ((sync === 'direct' || readShare > 0) && !hasDirectIo(limits.folder)) throw noDirectIo(task)
  const file = new HiddenFile(limits.folder, task.allocator, sync === 'direct' ? DIRECT_FLAG : undefined)
  begun()
  if (prepare(file, task, control)) operate(file, task, control)
  file.close()
}

function noDirectIo({ limits, sync }: WorkerTask): Error {
  const why = `the file system of ${limits.folder} has no direct I/O`
  const expected =
    sync === 'direct'
      ? 'sync: expected fdatasync or none, got "direct"'
      : 'readShare: expected 0, as reads would come from memory'
  return new Error(`${expected}: ${why}`)
}

/**
 * Allocates the file, or writes it where it is to be read: what was never written is not read from the disk.
 *
 * @returns whether that was not cut short by a stop
 */
function prepare(
  file: HiddenFile,
  { limits, workers, fileBytes, readShare }: WorkerTask,
  control: ThreadControl,
): boolean {
  const gauge = new DiskGauge(limits)
  while (!control.stopping) {
    const missingBytes = fileBytes - file.sizeBytes
    if (missingBytes === 0) return true
    const shareBytes = roundDown(gauge.stepBytes(workers), DIRECT_BLOCK_BYTES)
    const stepBytes = Math.min(missingBytes, shareBytes, readShare > 0 ? WRITE_BYTES : ALLOCATION_BYTES)
    const grown = stepBytes > 0 && (readShare > 0 ? file.write(stepBytes) : file.allocate(stepBytes))
    if (!grown) control.sleep(CHECK_MS)
  }
  return false
}

function operate(file: HiddenFile, task: WorkerTask, control: ThreadControl): void {
  const operations = new Operations(file.fd, task)
  const pace = new Pace(performance.now(), task.head)
  const { figures, targets } = control
  while (!control.stopping) {
    const waitMs = pace.next(performance.now(), targets[OPERATIONS_PER_SECOND] ?? 0)
    if (waitMs > 0) {
      control.sleep(Math.min(waitMs, CHECK_MS))
      continue
    }
    const bytes = operations.next()
    figures[BYTES] = (figures[BYTES] ?? 0) + bytes
    figures[OPERATIONS] = (figures[OPERATIONS] ?? 0) + 1
  }
  operations.close()
}

/** Those of one file: each goes on where the last of its kind has ended, and begins anew at the end of the file. */
class Operations {
  readonly #task: WorkerTask
  readonly #fd: number
  /** Reads never come from the page cache, even if writes go there. */
  readonly #readFd: number
  readonly #block: Uint8Array
  #writeAt = 0
  #readAt = 0
  /** Of a read: at 1, one is due. */
  #readDue = 0

  constructor(fd: number, task: WorkerTask) {
    this.#fd = fd
    this.#task = task
    this.#block = randomFillSync(alignedMemory(task.blockBytes))
    const needsAnother = task.sync !== 'direct' && task.readShare > 0
    // It has no other name.
    this.#readFd = needsAnother ? openSync(`/proc/self/fd/${fd}`, constants.O_RDONLY | (DIRECT_FLAG ?? 0)) : fd
  }

  /** @returns how many bytes it was about */
  next(): number {
    this.#readDue += this.#task.readShare
    if (this.#readDue < 1) return this.#write()
    this.#readDue--
    return this.#read()
  }

  #write(): number {
    const bytes = writeSync(this.#fd, this.#block, 0, this.#block.length, this.#writeAt)
    if (this.#task.sync === 'fdatasync') fdatasyncSync(this.#fd)
    this.#writeAt = this.#after(this.#writeAt)
    return bytes
  }

  #read(): number {
    const bytes = readSync(this.#readFd, this.#block, 0, this.#block.length, this.#readAt)
    this.#readAt = this.#after(this.#readAt)
    return bytes
  }

  #after(position: number): number {
    return (position + this.#block.length) % this.#task.fileBytes
  }

  close(): void {
    if (this.#readFd !== this.#fd) closeSync(this.#readFd)
  }
}

function roundDown(bytes: number, multiple: number): number {
  return Math.floor(bytes / multiple) * multiple
}
