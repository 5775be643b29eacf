// examples/ci: the workflow has its triggers and keeps its results, and what it runs can be run.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../admin/config/load.ts'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { suites } from '../../experiments/scenarios/index.ts'
import { freePort } from '../support/sockets.ts'
import { inProcess, ROOT } from '../cli/support.ts'

const folder = join(ROOT, 'examples', 'ci')
const workflow = parse(readFileSync(join(folder, '.github/workflows/chaos.yml'), 'utf8'))
const steps: readonly any[] = workflow.jobs.chaos.steps

let server: AdminServer
beforeAll(async () => {
  const { proxies } = await loadConfig(join(folder, 'chaos/faultline.yaml'), { environment: {} })
  const here = await Promise.all(proxies.map(async (spec) => ({ ...spec, listen: `127.0.0.1:${await freePort()}` })))
  server = await startAdminServer({ port: 0, proxies: here })
})
afterAll(() => server.close())

/** What a step gives to `npx faultline`, as words. */
function commandOf(part: string): string[] {
  const run: string = steps.find(({ run: script }) => script?.includes(part)).run
  const line = run.split('\n').find((text) => text.includes(part)) ?? ''
  return line.replace(/^.*npx faultline /, '').split(' ')
}

/** The same as a dry run: everything is checked, and planned on a server with these proxies. */
async function planned(words: readonly string[], variables: Readonly<Record<string, string>>): Promise<string> {
  const args = words.map((word) => word.replace(/^"\$(\w+)"$/, (_, name: string) => variables[name] ?? word))
  const from = args.map((word) => (word.startsWith('chaos/') ? join(folder, word) : word))
  const env = { FAULTLINE_URL: server.url, ...variables }
  const { code, stdout, stderr } = await inProcess([...from, '--dry-run'], env)
  expect([code, stderr]).toEqual([0, ''])
  return stdout
}

test('it runs for pull requests, by hand with a choice of suites, and every night', () => {
  expect(Object.keys(workflow.on)).toEqual(['pull_request', 'workflow_dispatch', 'schedule'])
  const { suite } = workflow.on.workflow_dispatch.inputs
  expect(suite).toMatchObject({ type: 'choice', options: ['smoke', 'standard', 'stress'], default: 'smoke' })
  for (const name of suite.options) expect(suites.has(name), name).toBe(true)
  expect(workflow.on.schedule).toEqual([{ cron: expect.stringMatching(/^\d+ \d+ \* \* \*$/) }])
})

test('its results are kept for 30 days, also if an SLO was not kept', () => {
  const upload = steps.find(({ uses = '' }) => uses.startsWith('actions/upload-artifact@'))
  expect(upload).toMatchObject({ if: 'always()', with: { 'retention-days': 30 } })
  const { path } = upload.with
  expect(path.split('\n')).toContain(commandOf('--suite')[commandOf('--suite').indexOf('--output') + 1])
})

test('its scripts are such for bash', () => {
  for (const { run } of steps) if (run) execFileSync('bash', ['-n'], { input: run })
})

test('what it runs for a pull request can be run, and fits a pull request', async () => {
  const { TARGET } = workflow.jobs.chaos.env
  const plan = await planned(commandOf('slow-payments'), { TARGET })
  expect(plan).toMatch(/fault latency on payments, growing for 5s; .* touches payments; blast radius 50% of 2/)
})

test.each(workflow.on.workflow_dispatch.inputs.suite.options as string[])('the suite %s can be run', async (SUITE) => {
  const { TARGET } = workflow.jobs.chaos.env
  const plan = await planned(commandOf('--suite'), { TARGET, SUITE })
  expect(plan.match(/^baseline /gm)).toHaveLength(suites.get(SUITE)!.scenarios.length)
})
