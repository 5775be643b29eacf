// docs/cli.md: every command in it does what it shows, its screens are those of today, and it leaves no command out.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { V1Client } from '../../admin/client/v1-client.ts'
import { setUp, shells } from '../../cli/completion-scripts.ts'
import { logLevels } from '../../cli/log.ts'
import { Output } from '../../cli/output.ts'
import { tableTypes } from '../../cli/watch/table-types.ts'
import { picture } from '../../cli/watch/picture.ts'
import { cut } from '../../cli/watch/screen.ts'
import { Rates } from '../../cli/watch/rates.ts'
import { ROOT } from '../cli/support.ts'
import { readSections, sectionOf, stepsOf, tableRows } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted } from '../support/docs-run.ts'

const API = 8474

/** Of the terminal whose screen the guide shows. */
const COLUMNS = 118

const guide = join(ROOT, 'docs', 'cli.md')
const sections = readSections(guide)

describe.skipIf(!hasCurl())('the commands of the guide', () => {
  let run: GuideRun
  beforeAll(async () => {
    run = await GuideRun.start(sections, [API, 18081, 18080, 16432], [API])
  })
  afterAll(() => run[Symbol.asyncDispose]())

  // In the order of the guide: each goes on where the one before left off.
  for (const section of sections.filter((other) => stepsOf(other).length > 0)) {
    // Some have a dozen commands, each a process.
    test(`do what they show: ${section.title}`, { timeout: 60_000 }, async () => {
      expect(await run.steps(section)).toEqual(stepsOf(section).map(wanted))
      if (section.title === 'Watching') expect(await screen(run)).toBe(withoutTimes(shownScreen()))
    })
  }
})

/** What the guide shows of the live table. */
function shownScreen(): string {
  const { blocks } = sectionOf('Watching', sections)
  return blocks[blocks.findIndex(({ note }) => note === 'screen') + 1]?.text ?? ''
}

/** What it would be now, with the guide's port. */
async function screen(run: GuideRun): Promise<string> {
  const client = new V1Client(`http://127.0.0.1:${run.port(API)}`)
  const shown = shownScreen()
  const rows = shown.trimEnd().split('\n').length
  const [status, proxies, partitions, stressors, { events: entries }] = await Promise.all([
    client.status(),
    client.proxies(),
    client.partitions(),
    client.stressors(),
    client.events({ types: tableTypes, proxy: undefined, limit: rows }),
  ])
  const url = `http://127.0.0.1:${API}`
  const out = new Output({ write: () => undefined }, {})
  const watched = { url, status, proxies, partitions, stressors, entries, rates: new Rates(), lost: undefined }
  await client.close()
  const lines = picture(out, watched, rows).map((line) => cut(line, COLUMNS).trimEnd())
  return withoutTimes(`${lines.join('\n')}\n`)
}

function withoutTimes(text: string): string {
  return text.replaceAll(/\d\d:\d\d:\d\d\.\d{3}/g, 'now')
}

test('it tells how every shell is set up, and every level of the log', () => {
  const rows = tableRows(sectionOf('Completion', sections)).map(([shell, , line]) => [shell, line])
  // A bar in a cell is written with a backslash, which the reading of tables does not know.
  expect(rows.map(([shell]) => shell)).toEqual([...shells])
  const text = readFileSync(guide, 'utf8').replaceAll('\\|', '|')
  for (const shell of shells) expect(text).toContain(setUp[shell])
  for (const level of logLevels) expect(sectionOf('Logs', sections).prose).toContain(`\`${level}\``)
})
