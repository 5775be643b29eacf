// Writes the results of a run to a folder.
import { join } from 'node:path'
import { replaceFile } from '../../admin/state/state-file.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue } from '../../proxy/describe-value.ts'
import type { Journal } from '../model.ts'
import { makeFolder } from './folder.ts'
import { formatOf, resultFormats, type RenderOptions, type ResultFormat } from './formats.ts'

export interface WrittenFile {
  readonly format: ResultFormat
  readonly path: string
}

/** Whom the umask allows: others than the runner read them, such as the agent of a CI server. */
export const RESULT_MODE = 0o666

/**
 * Writes each format to its file, in the order given. A file is there as a whole or not at all; one of an earlier run is
 * replaced.
 *
 * ```ts
 * await writeResults(journal, 'chaos-results', ['json', 'html', 'junit'])
 * ```
 *
 * @param folder is made if it is not there
 * @param formats default: all
 * @throws FaultlineError `invalid_value` for a format that does not exist, before anything is written; errors of the system
 */
export async function writeResults(
  journal: Journal,
  folder: string,
  formats: readonly ResultFormat[] = resultFormats,
  options: RenderOptions = {},
): Promise<readonly WrittenFile[]> {
  const wrong = formats.find((format) => !resultFormats.includes(format))
  if (wrong !== undefined) {
    const expected = `some of ${resultFormats.join(', ')}`
    const message = `formats: expected ${expected}, got ${describeValue(wrong)}`
    throw new FaultlineError('invalid_value', message, { field: 'formats', expected })
  }
  await makeFolder(folder)
  const written: WrittenFile[] = []
  for (const format of new Set(formats)) {
    const known = formatOf(format)
    const path = join(folder, known.file)
    await replaceFile(path, await known.render(journal, options), RESULT_MODE)
    written.push({ format, path })
  }
  return written
}
