import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readJournal, renderJson, resultFormats, writeResults } from '../../../experiments/results/index.ts'
import { all, passed, violated } from './journals.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-results-'))
})

afterAll(() => rm(folder, { recursive: true }))

test('every format has its file, in a folder that is made', async () => {
  const results = join(folder, 'deep', 'results')
  const files = ['results.json', 'report.md', 'report.html', 'junit.xml', 'metrics.prom']
  expect(await writeResults(violated, results)).toEqual(
    files.map((file, index) => ({ format: resultFormats[index], path: join(results, file) })),
  )
  // Nothing else, such as a temporary file.
  expect((await readdir(results)).sort()).toEqual(files.sort())
})

test.runIf(process.platform === 'linux')(
  'a folder that can not be made is an error, not an attempt for ever',
  async () => {
    await expect(writeResults(passed, '/proc/none/results', ['json'])).rejects.toThrow(
      "ENOENT: no such file or directory, mkdir '/proc/none'",
    )
    const file = join(folder, 'file')
    await writeFile(file, '')
    await expect(writeResults(passed, join(file, 'results'), ['json'])).rejects.toThrow('ENOTDIR')
    await expect(writeResults(passed, file, ['json'])).rejects.toThrow('EEXIST')
  },
)

test('only what was asked for, once; what an earlier run left is replaced', async () => {
  const results = join(folder, 'some')
  await writeResults(violated, results, ['json'])
  const written = await writeResults(passed, results, ['json', 'junit', 'json'])
  expect(written.map(({ format }) => format)).toEqual(['json', 'junit'])
  expect(await readdir(results)).toEqual(['junit.xml', 'results.json'])
  expect(await readJournal(join(results, 'results.json'))).toEqual(passed)
})

test('an unknown format is refused before anything is written', async () => {
  const results = join(folder, 'none')
  const formats = ['json', 'pdf' as never] as const
  await expect(writeResults(passed, results, formats)).rejects.toThrow(
    'formats: expected some of json, markdown, html, junit, prometheus, got "pdf"',
  )
  await expect(readdir(results)).rejects.toThrow('ENOENT')
})

test.each(Object.entries(all))('results.json of %s is the journal, whole', async (name, journal) => {
  const path = join(folder, `${name}.json`)
  await writeFile(path, renderJson(journal))
  expect(await readJournal(path)).toEqual(journal)
})

test.each([
  ['{', 'JSON'],
  ['[]', 'expected an object'],
  [JSON.stringify({ ...passed, version: 2 }), 'version: expected 1, got 2'],
  [JSON.stringify({ ...passed, outcome: 'fine' }), 'outcome: expected "passed" or "violated"'],
  [
    JSON.stringify({ ...passed, verdicts: [{ ...passed.verdicts[0], n: -1 }] }),
    'verdicts.0.n: expected an integer ≥ 0, got -1',
  ],
  [JSON.stringify({ ...passed, seconds: undefined }), 'seconds: missing'],
])('a file that is no journal names itself and the field: %#', async (text, message) => {
  const path = join(folder, 'broken.json')
  await writeFile(path, text)
  const reading = readJournal(path)
  await expect(reading).rejects.toThrow(`${path}: expected results of a run, as in results.json: `)
  await expect(reading).rejects.toThrow(message)
})

test('fields of a later version are no mistake', async () => {
  const path = join(folder, 'later.json')
  await writeFile(path, JSON.stringify({ ...passed, weather: 'fine' }))
  expect(await readJournal(path)).toMatchObject(passed)
  expect(JSON.parse(await readFile(path, 'utf8'))).toHaveProperty('weather')
})
