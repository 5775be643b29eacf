// What every page says, in docs/, examples/, bench/ and at the top: links lead somewhere, commands, calls and scripts are
// such as there are, and what nothing runs can at least be read. (That commands do what they show is a test of each guide.)
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { V1Client } from '../../admin/client/v1-client.ts'
import { parseConfig } from '../../admin/config/load.ts'
import { startAdminServer } from '../../admin/index.ts'
import { commands } from '../../cli/commands/registry.ts'
import { dispatch } from '../../cli/dispatch.ts'
import { readChaosToolkit } from '../../experiments/chaostoolkit/index.ts'
import { parseExperiment } from '../../experiments/index.ts'
import { Scenario } from '../../experiments/scenarios/index.ts'
import { findFaultDefinition } from '../../proxy/faults/registry.ts'
import { compilePostgresMatch, type PostgresMatchSpec } from '../../proxy/protocols/postgres/match.ts'
import { loadSqlParser, sqlOf } from '../../proxy/protocols/postgres/sql.ts'
import { inProcess, ROOT } from '../cli/support.ts'
import { readSections, sectionOf, tableRows } from '../support/docs-markdown.ts'
import { brokenLinks, callsOf, commandsOf, npmScriptsOf, readPages } from '../support/docs-pages.ts'

const pages = readPages()

test('links of all pages lead to files and headings that there are', () => {
  expect(pages.length).toBeGreaterThan(30)
  expect(brokenLinks(pages)).toEqual([])
})

// ---- what is typed -------------------------------------------------------------------------------------------------

/** Those that a guide shows to say what comes of them, and one that says where to put a name. */
const WRONG_ON_PURPOSE = new Set(['proxy shw', 'fault add shop http_abrt', 'help COMMAND'])

/** With what each page takes for granted. */
const PROXIES = [
  { name: 'redis', protocol: 'tcp' },
  { name: 'shop', protocol: 'http' },
  { name: 'db', protocol: 'postgres' },
  { name: 'orders-db', protocol: 'postgres' },
] as const

/** What people send to a database: a fault that matches none of these would never act. */
const STATEMENTS = [
  'SELECT name FROM orders WHERE id = 1',
  'INSERT INTO orders (item) VALUES (7)',
  'UPDATE accounts SET balance = 7',
  'COMMIT',
]

describe('commands of all pages, also where nothing runs them: in a text, in a cluster, in a container', () => {
  const shown = pages.flatMap((page) => commandsOf(page).map((words) => ({ page, words, line: words.join(' ') })))
  const right = shown.filter(({ line }) => line !== '' && !WRONG_ON_PURPOSE.has(line))

  test('are such as the program understands', async () => {
    // A text may mention a command, or a group of them, without what has to follow.
    const names = new Set(commands.flatMap(({ name }) => [name, name.split(' ')[0]]))
    expect(right.length).toBeGreaterThan(100)
    for (const { page, words, line } of right.filter((command) => !names.has(command.line))) {
      expect(await problemOf(words), `${page.path}: ${line}`).toBe('')
    }
  })

  test('are such in place of those of Toxiproxy', async () => {
    const guide = readSections(join(ROOT, 'docs', 'migration-from-toxiproxy.md'))
    const cells = tableRows(sectionOf('Steps', guide)).map(([theirs = '', ours = '']) =>
      ours === 'the same' ? theirs : ours,
    )
    const lines = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line))
    expect(lines.length).toBeGreaterThan(7)
    for (const line of lines) expect(await problemOf(line.replaceAll('ADDR', 'localhost:1').split(' ')), line).toBe('')
  })

  test('add faults that there are, and that can act', async () => {
    await loadSqlParser()
    const server = await startAdminServer({
      port: 0,
      proxies: PROXIES.map((proxy) => ({ ...proxy, upstream: '127.0.0.1:1' })),
    })
    const client = new V1Client(server.url)
    try {
      for (const { page, words, line } of right.filter((command) => command.line.startsWith('fault add '))) {
        const { stderr } = await inProcess([...words, '--host', server.url])
        expect(stderr, `${page.path}: ${line}`).toBe('')
        const [fault] = await client.faults()
        if (fault?.type.startsWith('pg_')) expect(matched(fault.match), `${page.path}: ${line}`).not.toEqual([])
        await client.heal()
      }
    } finally {
      await client.close()
      await server.close()
    }
  })
})

/** Why the program does not understand it. */
function problemOf(words: readonly string[]): Promise<string> {
  return dispatch(commands, words).then(
    () => '',
    (error: Error) => error.message,
  )
}

/** Which of {@link STATEMENTS} the fault is for. */
function matched(match: PostgresMatchSpec): string[] {
  const compiled = compilePostgresMatch(match, 'match')
  return STATEMENTS.filter((text) =>
    compiled.statement({ sql: sqlOf(text).statements[0], prepared: undefined, parameters: [], inTransaction: true }),
  )
}

test('calls of the API on all pages are such as it has', () => {
  const { prose } = pages.find(({ path }) => path === join('docs', 'reference', 'api.md'))!
  const routes = [...prose.matchAll(/^\| ([A-Z]+) +\| `([^`]+)`/gm)].map(
    ([, method, path = '']) => new RegExp(`^${method} ${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  )
  const calls = pages.flatMap((page) => callsOf(page).map((call) => ({ path: page.path, call })))
  expect(calls.length).toBeGreaterThan(50)
  const unknown = calls.filter(({ call }) => call.includes(' /v1/') && !routes.some((route) => route.test(call)))
  expect(unknown).toEqual([])
})

test('scripts of npm on all pages are there', () => {
  const folders = [ROOT, ...readdirSync(join(ROOT, 'examples')).map((name) => join(ROOT, 'examples', name))]
  const manifests = folders.map((folder) => join(folder, 'package.json')).filter((file) => existsSync(file))
  const scripts = new Set(
    manifests.flatMap((file) => {
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as { scripts: object }
      return Object.keys(manifest.scripts)
    }),
  )
  const shown = pages.flatMap((page) => npmScriptsOf(page))
  expect(shown).toContain('bench:stress')
  expect(shown.filter((name) => !scripts.has(name))).toEqual([])
})

// ---- what is saved, and what is typed elsewhere --------------------------------------------------------------------

/** What a page leaves out that shows only a part of one. */
const LEAST_EXPERIMENT = {
  title: 'A part of an experiment',
  steadyState: [{ name: 'it answers', http: 'http://a/' }],
  phases: { failure: [{ fault: { proxy: 'a', type: 'noop' }, for: '1s' }] },
}

/** By what stands in it; none = nothing of ours. */
function checkOf(document: object): ((path: string, text: string) => Promise<unknown>) | undefined {
  if ('steady-state-hypothesis' in document) return async (file, text) => readChaosToolkit(text, { file })
  if ('scenario' in document) return (path, text) => Scenario.parse(path, text).prepare({ TARGET: 'http://a/' })
  if (['phases', 'metrics', 'safety', 'slo', 'notify'].some((field) => field in document)) {
    const rest = Object.entries(LEAST_EXPERIMENT).filter(([field]) => !(field in document))
    const lines = rest.map(([field, value]) => `${field}: ${JSON.stringify(value)}\n`)
    return (path, text) => parseExperiment(path, text + lines.join(''), { environment: { TARGET: 'http://a/' } })
  }
  if ('proxies' in document) return (path, text) => parseConfig(path, text, { environment: {} })
  return undefined
}

test('configurations and experiments on all pages are valid', async () => {
  const documents = pages.flatMap(({ path, blocks }) =>
    blocks.filter(({ language }) => language === 'yaml').map(({ text }) => ({ path, text, document: parse(text) })),
  )
  const ours = documents.filter(({ document }) => checkOf(document))
  expect(ours.length).toBeGreaterThan(5)
  for (const { path, text, document } of ours) await checkOf(document)?.(path, text)
  // A compose file, which compose.test.ts looks at, and one of Prometheus.
  const others = documents.filter(({ document }) => !checkOf(document))
  expect(others.flatMap(({ document }) => Object.keys(document))).toEqual(['services', 'scrape_configs'])
})

/** One that carries the fault. */
function protocolOf({ type }: { readonly type: string }): string {
  if (findFaultDefinition(type, 'tcp') === undefined) return 'udp'
  if (/^(?:http|websocket|sse)_/.test(type)) return 'http'
  return type.startsWith('pg_') ? 'postgres' : 'tcp'
}

test('faults that pages show for curl are valid, also those that need rights', async () => {
  const posts = /curl[^\n]*\/proxies\/\w+\/faults --json '(\{[^']*\})'$/gm
  const specs = pages.flatMap(({ blocks }) =>
    blocks.flatMap(({ text }) =>
      [...text.matchAll(posts)].map(([, body = '']) => JSON.parse(body) as { type: string }),
    ),
  )
  expect(specs).toContainEqual(expect.objectContaining({ attributes: { engine: 'kernel', loss: 0.05 } }))
  const proxies = specs.map((spec, index) => [
    `proxy ${index}`,
    { upstream: 'localhost:1', protocol: protocolOf(spec), faults: [spec] },
  ])
  await parseConfig('all pages', JSON.stringify({ proxies: Object.fromEntries(proxies) }), { filesDirectory: ROOT })
})

test('shell on all pages is such for bash, also where it takes a cluster, a container or a hand', async () => {
  const scripts = pages.flatMap(({ blocks }) => blocks.filter(({ language }) => language === 'sh'))
  expect(scripts.length).toBeGreaterThan(200)
  const check = promisify(execFile)('bash', ['-n'])
  check.child.stdin?.end(scripts.map(({ text }) => text).join('\n'))
  expect((await check).stderr).toBe('')
})
