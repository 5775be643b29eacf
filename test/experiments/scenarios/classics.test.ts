// Every scenario and every suite of the library: what a dry run of it says, and that it touches nothing.
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { startAdminServer, type AdminServer } from '../../../admin/index.ts'
import { viewProxy } from '../../../admin/routes/views.ts'
import type { Step } from '../../../experiments/file/experiment.ts'
import { findScenario, scenarios, suites } from '../../../experiments/scenarios/index.ts'
import { inProcess } from '../../cli/support.ts'
import { send } from '../../support/admin-requests.ts'
import { FakeEngine } from '../../support/container-engine.ts'
import { Component, CONTAINER, parametersFor, proxySpecs, type Disturbed } from './landscape.ts'

let component: Component
let engine: FakeEngine
let server: AdminServer
let disturbed: Disturbed
beforeAll(async () => {
  component = await Component.start()
  engine = await FakeEngine.start()
  engine.add(CONTAINER)
  vi.stubEnv('DOCKER_HOST', `unix://${engine.socketPath}`)
  const address = `127.0.0.1:${component.port}`
  // Nobody asks it: a dry run asks no probes.
  const target = 'http://127.0.0.1:1'
  server = await startAdminServer({ port: 0, proxies: proxySpecs({ service: address, database: address }) })
  disturbed = { target, program: component.program, address, path: '/var/tmp' }
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await server?.close()
  await engine?.[Symbol.asyncDispose]()
  await component?.[Symbol.asyncDispose]()
})

/** All that the server has, and how much has ever happened there; what containers were told; the component's process. */
function state(): unknown {
  const { network, stressors } = server
  const proxies = [...network.proxies].map((proxy) => viewProxy(proxy))
  const happened = [network.changes, network.connectionEvents, network.injections, stressors.events].map(
    ({ total }) => total,
  )
  const held = [network.partitions.length, [...network.leases].length, stressors.list.length]
  return structuredClone({ proxies, happened, held, acts: engine.acts, component: [component.pid, component.restarts] })
}

/** What the plan of a scenario has to say, given what its steps have touched up to each of them. */
async function stepsOf(name: string, given: readonly string[]): Promise<readonly Step[]> {
  const values = Object.fromEntries(given.map((text) => text.split('=', 2) as [string, string]))
  const { experiment } = await findScenario(name).prepare(values)
  return experiment.failure.steps.toSorted((a, b) => a.fromMs - b.fromMs)
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
}

/** Lines of a plan: what is done when, how hard it is, whom it touches. */
function lineOf({ name, severity }: Step): RegExp {
  const radius = String.raw`blast radius \d+(\.\d)?% of ${[...server.network.proxies].length}`
  return new RegExp(
    `^failure \\S+ to \\S+: ${escape(name)}(, growing for \\S+)?; severity ${severity}; touches .+; ${radius}$`,
  )
}

/** Of several scenarios in a row: one line for each step, and no others. */
async function expectedLines(names: readonly string[], given: readonly string[]): Promise<RegExp[]> {
  const lines: RegExp[] = []
  for (const name of names) {
    const known = given.filter((text) => Object.hasOwn(findScenario(name).parameters, text.split('=')[0] ?? ''))
    lines.push(...(await stepsOf(name, known)).map(lineOf))
  }
  return lines
}

async function dryRun(what: readonly string[], names: readonly string[]): Promise<void> {
  const given = parametersFor(names, disturbed)
  const before = state()
  const set = given.flatMap((text) => ['--set', text])
  const { code, stdout, stderr } = await inProcess(['run', ...what, ...set, '--dry-run'], { FAULTLINE_URL: server.url })
  expect([code, stderr]).toEqual([0, ''])
  const steps = stdout.split('\n').filter((line) => line.startsWith('failure '))
  const expected = await expectedLines(names, given)
  expect(steps).toEqual(expected.map((line) => expect.stringMatching(line)))
  expect(state()).toEqual(before)
}

describe('a dry run', () => {
  test.each([...scenarios.keys()])('of %s names each step with its blast radius, and touches nothing', (name) =>
    dryRun(['--scenario', name], [name]),
  )

  test.each([...suites.values()])('of the suite $name says the same of all its scenarios', (suite) =>
    dryRun(['--suite', suite.name], suite.scenarios),
  )

  test('over the API says the same', async () => {
    const before = state()
    for (const name of scenarios.keys()) {
      const given = parametersFor([name], disturbed)
      const parameters = Object.fromEntries(given.map((text) => text.split('=', 2) as [string, string]))
      const post = { method: 'POST', headers: { 'content-type': 'application/json' } }
      const body = JSON.stringify({ scenario: name, parameters })
      const created = await send(server.url, { ...post, path: '/v1/experiments', body })
      expect([name, created.status]).toEqual([name, 201])
      const path = `/v1/experiments/${created.body.id}`
      const plan = await send(server.url, { path: `${path}/plan` })
      expect([name, plan.status]).toEqual([name, 200])
      await send(server.url, { method: 'DELETE', path })
      const steps = await stepsOf(name, given)
      expect(plan.body.steps.map((step: Step) => [step.name, step.severity])).toEqual(
        steps.map((step) => [step.name, step.severity]),
      )
      for (const { touches, blastRadius } of plan.body.steps)
        expect(blastRadius >= touches.length / plan.body.proxies).toBe(true)
    }
    expect(state()).toEqual(before)
  })
})
