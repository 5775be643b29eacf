// Experiments against a server: what they do there is held by a lease, so that it ends with whoever runs them.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as read } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../../admin/index.ts'
import { ExperimentFile } from '../../../experiments/file/load.ts'
import { RefusedError } from '../../../experiments/runner/refused-error.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import { ServerTarget } from '../../../experiments/runner/server-target.ts'
import { startHttpService, type HttpService } from '../../support/http-service.ts'
import { isThere } from '../../support/stressors.ts'
import { TargetProcess } from '../../support/target-process.ts'
import { end, startRunner, untilNothingRemains } from './runner-process.ts'
import { experimentOf, Heard, remains, textOf } from './support.ts'

const builtCli = join(import.meta.dirname, '../../../dist/esm/cli/main.js')

let service: HttpService
let server: AdminServer
let url: string
beforeEach(async () => {
  service = await startHttpService((_request, response) => {
    response.end('hello')
  })
  const upstream = `127.0.0.1:${service.port}`
  const proxies = [
    { name: 'shop', upstream, protocol: 'http' as const, from: 'client', to: 'shop' },
    { name: 'other', upstream },
  ]
  server = await startAdminServer({ port: 0, proxies })
  url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
})
afterEach(async () => {
  await server.close()
  await service[Symbol.asyncDispose]()
})

const safety = '{ blastRadius: 50% }'

test('a run is the same as in one process, with ramps, partitions and stressors', async () => {
  await using victim = new TargetProcess()
  await using target = new ServerTarget({ url: server.url })
  const failure = `[{ parallel: [
    { fault: { proxy: shop, type: http_delay, attributes: { delayMs: 20 } }, for: 900ms, ramp: 400ms },
    { at: 100ms, process: { pid: ${victim.pid}, action: hang }, for: 600ms }] }]`
  const heard = new Heard()
  const running = runExperiment(await experimentOf(url, { failure, safety }), target, heard)
  await heard.begun('stress')
  await expect.poll(() => victim.isStopped).toBe(true) // as soon as it gets to run, and so to its signal
  const { journal } = await running
  expect(journal.reason).toBeUndefined()
  expect(journal.steps.map(({ kind, undoneMs }) => `${kind} ${undoneMs! > 0}`).toSorted()).toEqual([
    'check true',
    'fault true',
    'stress true',
  ])
  // The figures of a stressor are asked for after its end.
  expect(journal.steps.find(({ kind }) => kind === 'stress')).toMatchObject({
    requested: { processes: 1 },
    achieved: { processes: 1 },
  })
  expect(journal.injections['fault http_delay on shop']).toBeGreaterThan(5)
  expect(victim.isStopped).toBe(false)
  expect(remains(server.network)).toEqual([])
})

test('what the server knows better is told with its place in the file', async () => {
  await using target = new ServerTarget({ url: server.url })
  const failure = '[{ fault: { proxy: shpo, type: noop }, for: 1s }, { stress: { kind: cpu, workers: 5000 }, for: 1s }]'
  const file = await ExperimentFile.parse('test.yaml', textOf(url, { failure, safety: '{ severity: 5 }' }))
  const error: unknown = await runExperiment(file.experiment, target).catch((thrown: unknown) => thrown)
  if (!(error instanceof RefusedError)) throw new Error('expected a RefusedError', { cause: error })
  expect(file.locate(error.errors).problems.map(({ line, column, field }) => [line, column, field])).toEqual([
    [11, 31, 'phases.failure.0.fault.proxy'],
    [11, 94, 'phases.failure.1.stress.workers'],
  ])
})

test('a server that is not there is an error', async () => {
  await using target = new ServerTarget({ url: 'http://127.0.0.1:1' })
  const failure = '[{ fault: { proxy: shop, type: noop }, for: 1s }]'
  await expect(runExperiment(await experimentOf(url, { failure }), target)).rejects.toThrow('cannot reach')
})

const long = '{ fault: { proxy: shop, type: latency, attributes: { latency: 5 } }, for: 20s }'

test('three act on a server at a time, of whatever processes; a killed one makes room', async () => {
  const text = textOf(url, { failure: `[${long}]`, safety })
  const start = () => startRunner(server, text, 'fault')
  const runners = await Promise.all([start(), start(), start()])
  const fourth = start()
  const turns = () => [...server.network.leases].map(({ ahead }) => ahead)
  await expect.poll(turns).toEqual([0, 0, 0, 1])
  const folder = await mkdtemp(join(tmpdir(), 'faultline-turns-'))
  const path = join(folder, 'waits.yaml')
  await writeFile(path, text)
  const args = [builtCli, 'run', path, '--host', server.url]
  const cli = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const said = read(cli.stderr)
  await expect.poll(turns).toEqual([0, 0, 0, 1, 2])
  cli.kill('SIGINT')
  const [code] = await once(cli, 'close')
  expect([code, turns()]).toEqual([3, [0, 0, 0, 1]])
  await rm(folder, { recursive: true })
  expect(await said).toMatch(
    /waits for its turn: 2 to end before\n[^]*aborted: a test: stopped by SIGINT before it began\n$/,
  )
  const faults = () => [...(server.network.proxy('shop')?.faults ?? [])].length
  expect(faults()).toBe(3)
  await end(runners[0].child, 'SIGKILL')
  runners.push(await fourth)
  expect([turns(), faults()]).toEqual([[0, 0, 0], 3])
  await Promise.all(runners.slice(1).map(({ child }) => end(child, 'SIGTERM')))
  expect(remains(server.network)).toEqual([])
})

test('the emergency stop ends those that act and those that wait, also if it is taken back at once', async () => {
  await using target = new ServerTarget({ url: server.url })
  const experiment = await experimentOf(url, { failure: `[${long}]`, safety })
  // Each resolves to a promise, so that nobody waits for its end yet.
  const runs: { readonly ends: Promise<string> }[] = []
  for (let count = 0; count < 4; count++) runs.push(await starting())
  server.network.stop()
  server.network.resume()
  const ends = await Promise.all(runs.map(({ ends }) => ends))
  // Whichever is noticed first: that what they had is gone, or the lease.
  for (const end of ends.slice(0, 3))
    expect(end).toMatch(/^error: (fault .*somebody has removed it|the lease .* is lost)/)
  expect(ends[3]).toMatch(/^FaultlineError: the lease .* is lost/)
  const { ends: last } = await starting()
  server.network.stop()
  expect([await last, remains(server.network)]).toEqual(['aborted: stopped by the emergency stop', []])

  async function starting() {
    const heard = new Heard()
    const ends = runExperiment(experiment, target, heard).then(
      ({ journal }) => `${journal.outcome}: ${journal.reason}`,
      String,
    )
    await heard.until(
      (event): event is typeof event => event.kind === 'step' || (event.kind === 'queued' && event.ahead > 0),
    )
    return { ends }
  }
})

describe('a runner that is told to end', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('by %s reverts first', async (signal) => {
    const { child, events } = await startRunner(server, textOf(url, { failure: `[${long}]`, safety }), 'fault')
    expect(remains(server.network)).not.toEqual([])
    await end(child, signal)
    expect(remains(server.network)).toEqual([])
    expect(events.at(-1)?.journal).toMatchObject({ outcome: 'aborted', reason: `stopped by ${signal}` })
  })

  test('by SIGKILL can not: what it held ends with its lease, also stopped processes', async () => {
    await using victim = new TargetProcess()
    const hang = `{ process: { pid: ${victim.pid}, action: hang }, for: 20s }`
    const { child } = await startRunner(
      server,
      textOf(url, { failure: `[{ parallel: [${long}, ${hang}] }]`, safety }),
      'stress',
    )
    await expect.poll(() => victim.isStopped).toBe(true)
    await end(child, 'SIGKILL')
    // The lease lasts a second after its last renewal.
    await untilNothingRemains(server.network, 3000)
    while (server.stressors.list.length > 0) await server.stressors.list[0]?.untilEnd()
    expect([isThere(victim.pid), victim.isStopped]).toEqual([true, false])
  })
})
