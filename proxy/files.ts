// The files that faults may send: of one directory that the user has named, read when the fault is added.
import { readFileSync, realpathSync, statSync } from 'node:fs'
import { resolve, sep } from 'node:path'
import { FaultlineError } from './errors.ts'
import type { ReadFile } from './installed-fault.ts'

const MAX_FILE_BYTES = 16 * 1024 * 1024

/** @param directory the only one that may be read from; undefined = no file may be read */
export function fileReader(directory: string | undefined): ReadFile {
  return (path, field) => {
    if (directory === undefined) {
      throw refuse(field, 'no file: none may be read until a directory of files has been named', path)
    }
    try {
      const root = realpathSync(directory)
      const file = realpathSync(resolve(root, path))
      if (!file.startsWith(root.endsWith(sep) ? root : root + sep)) throw refuse(field, `a file in ${directory}`, path)
      const { size } = statSync(file)
      if (size > MAX_FILE_BYTES) throw refuse(field, `a file of at most ${MAX_FILE_BYTES} bytes`, path)
      return readFileSync(file)
    } catch (error) {
      if (error instanceof FaultlineError) throw error
      throw refuse(field, `a readable file in ${directory}`, path)
    }
  }
}

function refuse(field: string, expected: string, path: string): FaultlineError {
  const message = `${field}: expected ${expected}, got ${JSON.stringify(path)}`
  return new FaultlineError('invalid_value', message, { field, expected })
}
