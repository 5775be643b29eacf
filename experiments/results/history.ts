// A folder of journals, one file a run, from which runs of the same title are compared.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceFile } from '../../admin/state/state-file.ts'
import { describeValue } from '../../proxy/describe-value.ts'
import { FaultlineError, systemCode } from '../../proxy/errors.ts'
import type { Journal } from '../model.ts'
import { makeFolder } from './folder.ts'
import { renderJson } from './formats.ts'
import { readJournal } from './read.ts'
import { RESULT_MODE } from './write.ts'

/**
 * Keeps a run: `folder/<title>/<time>-<id>.json`. The same run twice is one file.
 *
 * @returns the file's path
 * @throws FaultlineError `invalid_value` for a `startedAt` that is no time; errors of the system
 */
export async function addToHistory(journal: Journal, folder: string): Promise<string> {
  const runs = join(folder, fileName(journal.title))
  await makeFolder(runs)
  const path = join(runs, `${timeName(journal.startedAt)}-${fileName(journal.id)}.json`)
  await replaceFile(path, renderJson(journal), RESULT_MODE)
  return path
}

/**
 * The last runs of a title, the oldest first; none if there is no history of it.
 *
 * @param last how many, at least 1
 * @throws FaultlineError `invalid_value` naming `last`, or a file that is no journal
 */
export async function readHistory(folder: string, title: string, last = 10): Promise<readonly Journal[]> {
  if (!Number.isInteger(last) || last < 1) throw wrong('last', 'an integer ≥ 1', last)
  const runs = join(folder, fileName(title))
  // Names begin with the time.
  const names = (await filesOf(runs)).filter(isJournalName).sort()
  const newest = names.slice(Math.max(0, names.length - last))
  return Promise.all(newest.map((name) => readJournal(join(runs, name))))
}

/**
 * Titles that there is a history of, in the order of the alphabet; none if the folder is not there.
 *
 * @throws FaultlineError `invalid_value` naming a file that is no journal
 */
export async function historyTitles(folder: string): Promise<readonly string[]> {
  const titles = await Promise.all(
    (await filesOf(folder)).map(async (name) => {
      const runs = await filesOf(join(folder, name))
      const newest = runs.filter(isJournalName).sort().at(-1)
      return newest === undefined ? [] : [(await readJournal(join(folder, name, newest))).title]
    }),
  )
  return titles.flat().sort()
}

function isJournalName(name: string): boolean {
  return /^[^.].*\.json$/.test(name)
}

async function filesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    // Also of a file, which somebody has put there.
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return []
    throw error
  }
}

/** Readable, possible on every system, and of its own for each text: hence the hash. */
function fileName(text: string): string {
  const readable = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 8)
  return readable === '' ? hash : `${readable}-${hash}`
}

/** ISO 8601's basic form, which sorts and has no colon. */
function timeName(iso: string): string {
  const time = Date.parse(iso)
  if (Number.isNaN(time)) throw wrong('startedAt', 'a time as ISO 8601 has it', iso)
  return new Date(time).toISOString().replace(/[-:]/g, '')
}

function wrong(field: string, expected: string, value: unknown): FaultlineError {
  return new FaultlineError('invalid_value', `${field}: expected ${expected}, got ${describeValue(value)}`, {
    field,
    expected,
  })
}
