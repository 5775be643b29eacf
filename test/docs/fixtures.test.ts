// docs/fixtures.md: its blocks are one script that prints what it shows, or parts of examples; its tables are complete.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { http, postgres, sse, startNetwork, udp, websocket } from '../../index.ts'
import { streamBuilders } from '../../fixtures/fault-builders.ts'
import { ROOT } from '../cli/support.ts'
import { PATIENCE_MS, UserFolder } from '../packaging/support.ts'
import { readSections, sectionOf, tableRows } from '../support/docs-markdown.ts'
import { outputsOf, programOf, scriptOf } from '../support/docs-script.ts'
import { startServed } from '../support/served.ts'
import { freePort } from '../support/sockets.ts'

const SHOP = 18080
const API = 8474

const guide = join(ROOT, 'docs', 'fixtures.md')
const sections = readSections(guide)
const section = (title: string) => sectionOf(title, sections)

test('the script prints what the guide shows', { timeout: PATIENCE_MS }, async () => {
  const script = scriptOf(sections)
  await using served = await startServed()
  const ports = new Map([
    [SHOP, await freePort()],
    [API, Number(new URL(served.url).port)],
  ])
  let program = programOf(script)
  for (const [shown, here] of ports) program = program.replaceAll(`${shown}`, `${here}`)
  await using folder = await UserFolder.create({ 'guide.mjs': program })
  const { code, stdout, output } = await folder.node('guide.mjs')
  expect(code, output).toBe(0)

  let text = stdout
  for (const [shown, here] of ports) text = text.replaceAll(`${here}`, `${shown}`)
  const printed = outputsOf(text)
  const results = script.map(({ line }) => ({ line, output: withoutChance(printed.get(line) ?? '') }))
  expect(results).toEqual(script.map((block) => ({ line: block.line, output: withoutChance(block.output) })))
})

/** Times since the beginning, and ports that the system has chosen. */
function withoutChance(output: string): string {
  return output.replaceAll(/\+\d+\.\d{3} s/g, '+… s').replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:…')
}

test('what it shows of an example is in there', () => {
  const shown = sections.flatMap(({ blocks }) => blocks).filter(({ note }) => note.startsWith('examples/'))
  expect(shown.length).toBeGreaterThan(5)
  for (const { note, text } of shown) expect(readFileSync(join(ROOT, note), 'utf8')).toContain(text)
})

test("README.md's first test passes as it is pasted", { timeout: PATIENCE_MS }, async () => {
  const [block] = sectionOf('In a test', readSections(join(ROOT, 'README.md'))).blocks
  await using folder = await UserFolder.create({ 'cart.test.mjs': block!.text })
  const { code, output } = await folder.node('cart.test.mjs')
  expect(code, output).toBe(0)
  expect(output).toMatch(/^(?:#|ℹ) pass 1$/m)
})

test('the tables have each builder and each option of inject()', async () => {
  const rows = tableRows(section('Faults'))
  const namespaces = { 'by name': streamBuilders, http, websocket, sse, postgres, udp }
  const builders = rows.flatMap(([name = '', , list = '']) => {
    const known = namespaces[name.replaceAll('`', '') as keyof typeof namespaces]
    return known ? [[name, codes(list)]] : []
  })
  const wanted = Object.entries(namespaces).map(([name, own]) => [name, Object.keys(own)])
  expect(builders.map(([name, list]) => [String(name).replaceAll('`', ''), list])).toEqual(wanted)

  await using network = await startNetwork({ server: false })
  const proxy = await network.proxy('p', { upstream: 'localhost:1', checkUpstream: false })
  const error = await proxy.inject(http.abort(), { tims: 2 } as object).catch(String)
  const options = rows.slice(wanted.length).flatMap(([option = '']) => codes(option))
  expect(error).toContain(`expected one of ${options.join(', ')}`)
})

test('the table of errors has each code', () => {
  const source = readFileSync(join(ROOT, 'fixtures', 'errors.ts'), 'utf8')
  const all = [...source.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, code]) => code)
  expect(all.length).toBeGreaterThan(9)
  expect(tableRows(section('When something is wrong')).flatMap(([code = '']) => codes(code))).toEqual(all)
})

/** What is between backquotes in a cell. */
function codes(cell: string): string[] {
  return [...cell.matchAll(/`(\w+)`/g)].map(([, code = '']) => code)
}
