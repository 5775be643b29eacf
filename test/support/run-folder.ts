// A temporary folder for a run of the tests as a whole: what several files need is made once in there.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const VARIABLE = 'FAULTLINE_TEST_FOLDER'

/** vitest's globalSetup: called for each project. Processes of the run inherit the environment. */
export default function setup(): (() => void) | undefined {
  if (process.env[VARIABLE] !== undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'faultline-tests-'))
  process.env[VARIABLE] = folder
  return () => rmSync(folder, { recursive: true, force: true })
}

export function runFolder(): string {
  const folder = process.env[VARIABLE]
  if (folder === undefined) throw new Error(`${VARIABLE} is not set: is ${import.meta.filename} the globalSetup?`)
  return folder
}
