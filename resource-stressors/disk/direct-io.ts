// Whether a file system reads and writes past the page cache, O_DIRECT in open(2). Some accept the flag and don't.
import { constants, ftruncateSync, writeSync } from 'node:fs'
import { systemCode } from '../../proxy/errors.ts'
import { numberAfter, readText } from '../machine/files.ts'
import { alignedMemory, HiddenFile } from './hidden-file.ts'

/** What every device and file system can do: sizes and places in the file are multiples of it. */
export const DIRECT_BLOCK_BYTES = 4096

/** Undefined where the system has no such flag. */
export const DIRECT_FLAG: number | undefined = constants.O_DIRECT

/**
 * What a write leaves in the page cache is written later, or never if it is taken back before: the kernel counts that,
 * proc_pid_io(5). To be asked by a thread that writes nothing else meanwhile.
 *
 * @returns also true where the kernel does not count it, and accepts the flag
 */
export function hasDirectIo(folder: string): boolean {
  if (DIRECT_FLAG === undefined) return false
  let file: HiddenFile | undefined
  try {
    file = new HiddenFile(folder, [], DIRECT_FLAG)
    const before = takenBackBytes()
    writeSync(file.fd, alignedMemory(DIRECT_BLOCK_BYTES))
    ftruncateSync(file.fd, 0)
    return takenBackBytes() === before
  } catch (error) {
    if (systemCode(error) === 'EINVAL') return false
    throw error
  } finally {
    file?.close()
  }
}

function takenBackBytes(): number | undefined {
  return numberAfter(readText('/proc/thread-self/io'), 'cancelled_write_bytes:')
}
