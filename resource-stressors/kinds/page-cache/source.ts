// Files that are there, to be read: found, counted, and not changed.
import { lstat, opendir } from 'node:fs/promises'
import { isAbsolute } from 'node:path'
import { join } from 'node:path'
import { FaultlineError, systemCode } from '../../../proxy/errors.ts'
import { invalidAttribute } from '../../definition.ts'

export interface SourceFile {
  readonly path: string
  readonly bytes: number
}

export interface Source {
  readonly files: readonly SourceFile[]
  readonly bytes: number
  /** Whether all belong to the user that we are, or we are root. */
  readonly isOurs: boolean
}

const MAX_FILES = 5000
/** What is no file counts too: to look at a tree without files takes as long. */
const MAX_ENTRIES = 50_000

/**
 * @param field for messages
 * @throws FaultlineError naming the field
 */
export async function findSource(path: string, field: string): Promise<Source> {
  if (!isAbsolute(path)) throw invalidAttribute(field, 'an absolute path', path)
  const files: SourceFile[] = []
  let [isOurs, entries] = [true, 0]
  const look = async (at: string): Promise<void> => {
    if (++entries > MAX_ENTRIES) throw invalidAttribute(field, `at most ${MAX_ENTRIES} entries in a folder`, path)
    const stats = await lstat(at)
    if (stats.isDirectory()) {
      for await (const { name } of await opendir(at)) await look(join(at, name))
    }
    // A file of /proc says 0; so does an empty one.
    if (!stats.isFile() || stats.size === 0) return
    files.push({ path: at, bytes: stats.size })
    isOurs &&= process.geteuid?.() === 0 || stats.uid === process.geteuid?.()
    if (files.length > MAX_FILES) throw invalidAttribute(field, `at most ${MAX_FILES} files in a folder`, path)
  }
  await expectingReadable(look(path), path, field)
  if (files.length === 0) throw invalidAttribute(field, 'a file with content, or a folder with one', path)
  return { files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), isOurs }
}

async function expectingReadable(looked: Promise<void>, path: string, field: string): Promise<void> {
  try {
    await looked
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined || error instanceof FaultlineError) throw error
    const expected = 'a file or folder that can be read'
    const message = `${field}: expected ${expected}, got ${JSON.stringify(path)} (${code})`
    throw new FaultlineError('invalid_value', message, { field, expected, cause: error })
  }
}
