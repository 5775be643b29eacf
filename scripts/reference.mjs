// Writes docs/reference/ from what the program itself goes by: the registry of faults, the schemas that check
// configurations, the API's OpenAPI document, the commands' help. `--check` writes nothing, and fails if a page is not
// what would be written. Needs a build.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { apiPage } from './reference/api.mjs'
import { cliPage } from './reference/cli.mjs'
import { configurationPage } from './reference/configuration.mjs'
import { faultsPage } from './reference/faults.mjs'

const root = join(import.meta.dirname, '..')

const { values } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    build: { type: 'string', default: join(root, 'dist', 'esm') },
    folder: { type: 'string', default: join(root, 'docs', 'reference') },
  },
})

/** A module of the build, by its path without the ending. */
const load = (path) => import(pathToFileURL(join(values.build, `${path}.js`)).href)

const pages = {
  'faults.md': faultsPage,
  'configuration.md': configurationPage,
  'api.md': apiPage,
  'cli.md': cliPage,
}

let stale = 0
for (const [name, page] of Object.entries(pages)) {
  const file = join(values.folder, name)
  const text = await page(load)
  if (!values.check) {
    writeFileSync(file, text)
    continue
  }
  const present = readIfThere(file)
  if (present === text) continue
  stale += 1
  const lines = text.split('\n')
  const line = (present ?? '').split('\n').findIndex((other, index) => other !== lines[index])
  process.stderr.write(`docs/reference/${name}:${line + 1} is not as generated, run: npm run docs:reference\n`)
}
if (stale > 0) process.exitCode = 1

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error.code === 'ENOENT') return undefined
    throw error
  }
}
