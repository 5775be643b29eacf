// Reads results.json, for reports that are made later and for comparing runs.
import { readFile } from 'node:fs/promises'
import type { Journal } from '../model.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { checkJournal } from './journal-schema.ts'

/** @throws FaultlineError `invalid_value` naming the file, and the field that is wrong */
export async function readJournal(path: string): Promise<Journal> {
  try {
    return checkJournal(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const expected = 'results of a run, as in results.json'
    throw new FaultlineError('invalid_value', `${path}: expected ${expected}: ${reason}`, { expected, cause: error })
  }
}
