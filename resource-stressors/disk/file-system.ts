// A file system by its own count: what is free of it, and whether a folder on it can be pressed at all.
import { accessSync, constants, statfsSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute } from 'node:path'
import { FaultlineError, systemCode } from '../../proxy/errors.ts'
import { invalidAttribute } from '../definition.ts'

/** As `df` counts: what is kept for the superuser is neither free nor part of the total, statfs(2). */
export interface FileSystem {
  readonly blockBytes: number
  readonly totalBytes: number
  readonly freeBytes: number
  /** 0 where the file system makes them as it needs them. */
  readonly totalInodes: number
  readonly freeInodes: number
  /** What is taken of it is taken of the memory. */
  readonly inMemory: boolean
}

/** TMPFS_MAGIC, linux/magic.h. */
const TMPFS = 0x01021994

/** @param path of anything on it */
export function fileSystemAt(path: string): FileSystem {
  const { type, bsize, blocks, bfree, bavail, files, ffree } = statfsSync(path)
  return {
    blockBytes: bsize,
    totalBytes: (blocks - bfree + bavail) * bsize,
    freeBytes: bavail * bsize,
    totalInodes: files,
    freeInodes: ffree,
    inMemory: type === TMPFS,
  }
}

export interface ChosenFolder {
  readonly folder: string
  /** What whoever left the choice to us should know, as sentences. */
  readonly notes: readonly string[]
}

/**
 * The folder that an attribute names, or that of temporary files.
 *
 * @throws FaultlineError as {@link checkFolder}
 */
export function chooseFolder(path: string | undefined, field: string): ChosenFolder {
  const folder = path ?? tmpdir()
  checkFolder(folder, field)
  return { folder, notes: path === undefined ? [`the disk is that of ${folder}`] : [] }
}

/**
 * Checks that files can be made in a folder, without making one.
 *
 * @param field for the message
 * @throws FaultlineError naming the field
 */
export function checkFolder(path: string, field: string): void {
  if (!isAbsolute(path)) throw invalidAttribute(field, 'an absolute path', path)
  const stats = expecting('a folder that is there', () => statSync(path), path, field)
  if (!stats.isDirectory()) throw invalidAttribute(field, 'a folder', path)
  const access = constants.W_OK | constants.X_OK
  expecting('a folder that can be written to', () => accessSync(path, access), path, field)
  // Those in which the kernel tells of itself, as /proc, have none.
  if (fileSystemAt(path).totalBytes === 0) throw invalidAttribute(field, 'a folder on a file system with space', path)
}

function expecting<Result>(expected: string, ask: () => Result, path: string, field: string): Result {
  try {
    return ask()
  } catch (error) {
    const message = `${field}: expected ${expected}, got ${JSON.stringify(path)} (${systemCode(error) ?? String(error)})`
    throw new FaultlineError('invalid_value', message, { field, expected, cause: error })
  }
}
