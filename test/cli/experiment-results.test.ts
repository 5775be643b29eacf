// `faultline report` and `faultline trend`, on results that runs have left, and `run --history`, which leaves them.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startAdminServer } from '../../admin/index.ts'
import { addToHistory, renderJunit, renderMarkdown, writeResults } from '../../experiments/results/index.ts'
import { passed, violated } from '../experiments/results/journals.ts'
import { startHttpService } from '../support/http-service.ts'
import { inProcess } from './support.ts'

let folder: string
let results: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-results-'))
  results = join(folder, 'run')
  await writeResults(violated, results, ['json'])
})
afterAll(() => rm(folder, { recursive: true }))

test('a report is printed, from the file or from its folder', async () => {
  const printed = await inProcess(['report', results, '--format', 'markdown'])
  expect(printed).toEqual({ code: 0, stderr: '', stdout: renderMarkdown(violated) })
  const file = await inProcess(['report', join(results, 'results.json'), '--format', 'junit'])
  expect(file.stdout).toBe(renderJunit(violated))
})

test('without a format the verdicts are shown as the run has shown them', async () => {
  const { code, stdout } = await inProcess(['report', results])
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${violated.title}: violated`)])
  for (const { slo } of violated.verdicts) expect(stdout).toContain(slo)
})

test('reports are written to a folder: those that are named, or all', async () => {
  const some = join(folder, 'some')
  const { stdout } = await inProcess(['report', results, '--output', some, '--format', 'html', '--format', 'junit'])
  expect(stdout).toBe(`Wrote ${join(some, 'report.html')}\nWrote ${join(some, 'junit.xml')}\n`)
  const all = join(folder, 'all')
  await inProcess(['report', results, '--output', all])
  expect((await readdir(all)).sort()).toEqual(['junit.xml', 'metrics.prom', 'report.html', 'report.md', 'results.json'])
  expect(JSON.parse(await readFile(join(all, 'results.json'), 'utf8'))).toEqual(violated)
})

test('what is no result of a run is told', async () => {
  const wrong = join(folder, 'wrong.json')
  await writeFile(wrong, '{ "version": 1 }')
  const { code, stderr } = await inProcess(['report', wrong])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/wrong\.json: expected results of a run, .*: .*missing/)])
  expect(await inProcess(['report', join(folder, 'none')])).toMatchObject({ code: 1, stdout: '' })
  const several = await inProcess(['report', results, '--format', 'html', '--format', 'junit'])
  expect([several.code, several.stderr]).toEqual([
    2,
    expect.stringContaining('--format: expected one without --output'),
  ])
  expect(await inProcess(['report', results, '--format', 'pdf'])).toMatchObject({ code: 2 })
})

test('the trend has each experiment of a history, its latest runs, and one by its title', async () => {
  const history = join(folder, 'history')
  for (const [day, run] of [passed, violated, passed].entries()) {
    await addToHistory({ ...run, id: `run-${day}`, startedAt: `2030-01-0${day + 1}T10:00:00.000Z` }, history)
  }
  await addToHistory({ ...passed, title: 'Another' }, history)
  await writeFile(join(history, 'README'), 'somebody else has put this here')
  const all = await inProcess(['trend', history])
  expect(all.stdout).toMatch(new RegExp(`^## Another\n[^]*\n\n## ${passed.title}\n`))
  const { stdout } = await inProcess(['trend', history, '--title', passed.title, '--last', '2'])
  expect(stdout).not.toContain('2030-01-01')
  expect(stdout).toMatch(/2030-01-02 10:00:00 UTC \| ❌ violated[^]*2030-01-03 10:00:00 UTC \| ✅ passed/)
  const [{ title, runs }] = JSON.parse((await inProcess(['trend', history, '--json', '--last', '1'])).stdout)
  expect([title, runs]).toEqual(['Another', [expect.objectContaining({ outcome: 'passed' })]])

  const unknown = await inProcess(['trend', history, '--title', 'Anoher'])
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('did you mean "Another"?')])
  const none = await inProcess(['trend', join(folder, 'none')])
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('FOLDER: expected a folder of history')])
})

test('a run is kept in the history', async () => {
  await using service = await startHttpService((_request, response) => response.end('hello'))
  const proxies = [{ name: 'shop', upstream: `127.0.0.1:${service.port}` }]
  const server = await startAdminServer({ port: 0, proxies })
  const history = join(folder, 'kept')
  const experiment = join(folder, 'short.yaml')
  await writeFile(
    experiment,
    `title: Short
seed: 1
steadyState:
  - { name: shop, http: "http://127.0.0.1:${server.network.proxy('shop')?.port}", rate: 50/s }
phases:
  baseline: { for: 100ms }
  failure: [{ fault: { proxy: shop, type: noop }, for: 100ms }]
  recovery: { atMost: 500ms, consecutive: 2 }
  validation: { steps: [service_health_check] }
safety: { blastRadius: 100% }
`,
  )
  const { stdout } = await inProcess(['run', experiment, '--history', history], { FAULTLINE_URL: server.url })
  const [, path = ''] = /^Kept (.*)$/m.exec(stdout) ?? []
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ title: 'Short' })
  expect((await inProcess(['trend', history])).stdout).toContain('## Short')
  await server.close()
})
