// What the guides say of the code must be true of it: dependencies, imports, flags, texts of errors, the first five
// minutes. (What all pages have in common is pages.test.ts.)
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer } from '../../admin/index.ts'
import { serve } from '../../cli/commands/serve.ts'
import { Network } from '../../proxy/index.ts'
import { faultline, inProcess, ROOT } from '../cli/support.ts'
import { readSections, sectionOf, stepsOf, tableRows } from '../support/docs-markdown.ts'
import { GuideRun, hasCurl, wanted } from '../support/docs-run.ts'
import { freePort } from '../support/sockets.ts'

const docs = (name: string): string => join(ROOT, 'docs', name)

// ---- dependencies --------------------------------------------------------------------------------------------------

type Dependencies = Readonly<Record<string, string>>

/** The packages in the first column of a section's table. */
function packagesIn(title: string): string[] {
  const { prose } = sectionOf(title, readSections(docs('dependencies.md')))
  const cells = prose.split('\n').flatMap((line) => /^\| (`.*?`) +\|/.exec(line)?.[1] ?? [])
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)).toSorted()
}

test('docs/dependencies.md has a reason for each dependency, and for no other', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Dependencies
    devDependencies: Dependencies
  }
  expect(packagesIn('At run time')).toEqual(Object.keys(manifest.dependencies).toSorted())
  expect(packagesIn('For development')).toEqual(Object.keys(manifest.devDependencies).toSorted())
})

// ---- architecture --------------------------------------------------------------------------------------------------

test('docs/architecture.md says which folder imports from which', () => {
  const rows = tableRows(sectionOf('Folders, and who may import whom', readSections(docs('architecture.md'))))
  const said = new Map(rows.map(([folder = '', , imported = '']) => [foldersIn(folder)[0] ?? '', foldersIn(imported)]))
  const found = [...said.keys()].map((folder) => [folder, importedBy(folder, [...said.keys()])] as const)
  expect([...said].map(([folder, imported]) => [folder, imported.toSorted()])).toEqual(found)
})

function foldersIn(cell: string): string[] {
  return [...cell.matchAll(/`([a-z-]+)\/`/g)].map(([, name = '']) => name)
}

/** The others of these folders that files of one of them import from, be it types only. */
function importedBy(folder: string, all: readonly string[]): string[] {
  const found = new Set<string>()
  for (const name of readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue
    const source = readFileSync(join(ROOT, folder, name), 'utf8')
    for (const [, path = ''] of source.matchAll(/(?:from |import\()'(\.[^']+)'/g)) {
      const [top = ''] = relative(ROOT, join(ROOT, folder, dirname(name), path)).split('/')
      if (top !== folder && all.includes(top)) found.add(top)
    }
  }
  return [...found].toSorted()
}

// ---- security ------------------------------------------------------------------------------------------------------

test('docs/security.md has each flag of the server that lets its API do more than break networks', () => {
  const flags = Object.keys(serve.flags).filter((name) => name === 'stressors' || name.startsWith('experiment-'))
  expect(flags).toContain('experiment-programs')
  const guide = readFileSync(docs('security.md'), 'utf8')
  expect(flags.filter((name) => !guide.includes(`\`--${name}`))).toEqual([])
})

// ---- the first five minutes ----------------------------------------------------------------------------------------

describe.skipIf(!hasCurl())('docs/getting-started.md', () => {
  const sections = readSections(docs('getting-started.md'))
  let run: GuideRun
  beforeAll(async () => {
    run = await GuideRun.start(sections, [8474, 18081, 18080, 26379, 6379], [8474, 18080])
  })
  afterAll(() => run?.[Symbol.asyncDispose]())

  test('its commands do what they show', { timeout: 30_000 }, async () => {
    for (const section of sections) expect(await run.steps(section)).toEqual(stepsOf(section).map(wanted))
  })

  test('README.md has calls that the same server understands', async () => {
    const section = sectionOf('With curl', readSections(join(ROOT, 'README.md')))
    const [{ exitCode, output } = { exitCode: 1, output: '' }] = await run.steps({
      ...section,
      blocks: section.blocks.flatMap((block) =>
        block.note === '' ? [block, { ...block, language: 'text', text: 'whatever\n' }] : [],
      ),
    })
    expect(exitCode).toBe(0)
    // Created, added, a list of injections, and 204 for the reset, which says nothing.
    expect(output).toMatch(/"name":"redis".*"name":"latency_downstream".*"injections":\[/s)
    expect(output).not.toMatch(/"error"|problem/)
  })

  test('README.md has an experiment that can be run with what its calls have made', async () => {
    const [step] = stepsOf(sectionOf('Experiments', readSections(join(ROOT, 'README.md'))))
    const words = step!.script.replaceAll('\\\n', '').trim().split(/\s+/)
    expect(words.slice(0, 3)).toEqual(['npx', 'faultline', 'run'])
    const { code, stdout, stderr } = await inProcess(words.slice(2), {
      FAULTLINE_URL: `http://127.0.0.1:${run.port(8474)}`,
    })
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('fault latency on redis')
  })
})

// ---- troubleshooting -----------------------------------------------------------------------------------------------

/** With the guide's port in place of this run's. */
const there = (text: string, port: number | string): string => text.replaceAll(String(port), '8474').trim()

const messageOf = async (attempt: () => Promise<unknown>): Promise<string> =>
  attempt().then(
    () => 'nothing went wrong',
    (error: Error) => error.message,
  )

describe('docs/troubleshooting.md has the text of the error that', () => {
  const sections = readSections(docs('troubleshooting.md'))

  /** What the guide shows; behind an ellipsis it goes on in some way. */
  const shown = (title: string): RegExp => {
    const text = sectionOf(title, sections).blocks[0]?.text.trim() ?? ''
    const pattern = text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*')
    return new RegExp(`^${pattern}$`)
  }
  test('comes when no server answers', async () => {
    const port = await freePort()
    const { stderr } = await inProcess(['list', '--host', `http://127.0.0.1:${port}`])
    expect(there(stderr, port)).toMatch(shown('No server answers'))
  })

  test('comes when the port is in use, when a token is wanted, and when the host is not allowed', async () => {
    const server = await startAdminServer({ port: 0, token: 'secret' })
    try {
      const { port } = new URL(server.url)
      expect(there((await faultline(['serve', '--port', port])).stderr, port)).toMatch(shown('The port is in use'))
      const { stderr } = await inProcess(['list', '--host', server.url])
      expect(there(stderr, port)).toMatch(shown('A token is wanted'))
      const answer = await request(`${server.url}/v1/status`, { headers: { host: `faults.example.com:${port}` } })
      const { detail } = (await answer.body.json()) as { detail: string }
      expect(there(detail, port)).toMatch(shown('The host is not allowed'))
    } finally {
      await server.close()
    }
  })

  test('comes for faults that can not be', async () => {
    await using network = new Network({ maxTtlMs: 60_000 })
    const shop = await network.createProxy({ name: 'shop', upstream: '127.0.0.1:1' })
    const add = (spec: Parameters<typeof shop.addFault>[0]) => messageOf(async () => shop.addFault(spec))
    expect(await add({ type: 'latancy' })).toMatch(shown('There is no such type'))
    expect(await add({ type: 'latency', attributes: { latencyMs: 5 } })).toMatch(shown('There is no such attribute'))
    expect(await add({ type: 'http_abort' })).toMatch(shown('The protocol does not carry the fault'))
    expect(await add({ type: 'latency', ttlMs: 600_000 })).toMatch(shown('It stays for too long'))
    network.stop()
    expect(await add({ type: 'latency' })).toMatch(shown('The emergency stop is on'))
  })

  test('comes for a configuration that is wrong', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'faultline-drift-'))
    const file = join(folder, 'faultline.yaml')
    await writeFile(file, 'seed: 7\nproxies:\n  db:\n    listen: "5432"\n    upstream: 127.0.0.1:5433\n')
    const { stdout } = await inProcess(['validate', file])
    await rm(folder, { recursive: true })
    expect(stdout.trim().slice(folder.length + 1)).toMatch(shown('The configuration is wrong'))
  })
})
