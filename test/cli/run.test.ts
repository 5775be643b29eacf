// `faultline run` and `faultline scenarios`: from a file or a scenario to a verdict, an exit code and results.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { commands } from '../../cli/commands/registry.ts'
import { complete } from '../../cli/completion.ts'
import { startHttpService, type HttpService } from '../support/http-service.ts'
import { inProcess, type Ended } from './support.ts'

let folder: string
let service: HttpService
let server: AdminServer
let url: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-run-'))
  service = await startHttpService((_request, response) => {
    response.end('hello')
  })
  const upstream = `127.0.0.1:${service.port}`
  server = await startAdminServer({ port: 0, proxies: [{ name: 'shop', upstream, protocol: 'http' }] })
  url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
})
afterAll(async () => {
  await server.close()
  await service[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function run(...args: string[]): Promise<Ended> {
  return inProcess(args, { FAULTLINE_URL: server.url, URL: url })
}

/** The fault lasts so long that a verdict is certain even of what is left when the machine was paused for half of it. */
async function file(name: string, fault: string, more = ''): Promise<string> {
  const path = join(folder, name)
  const text = `title: Shop survives
seed: 1
steadyState:
  - { name: shop, http: "\${URL}", rate: 50/s }
phases:
  preparation: { atMost: 1s }
  baseline: { for: 300ms }
  failure:
    - { fault: { proxy: shop, ${fault} }, for: 800ms }
  recovery: { atMost: 1s, consecutive: 5 }
  validation: { steps: [service_health_check] }
slo: { errorRate: 30%, availability: 70% }
safety: { blastRadius: 100% }
${more}`
  await writeFile(path, text)
  return path
}

const abort = 'type: http_abort, attributes: { status: 503 }'

describe('faultline run', () => {
  test('shows phases, steps and verdicts, and fails with 1 if an SLO is not kept', async () => {
    const path = await file('violated.yaml', abort)
    const args = ['--output', join(folder, 'results'), '--notify', 'http://127.0.0.1:1/hook']
    const { code, stdout, stderr } = await run('run', path, ...args)
    expect(code).toBe(1)
    expect(stderr).toMatch(/^ +0\.\d s {2}preparation, 1s\n +\d\.\d s {2}baseline, 300ms\n/)
    expect(stderr).toMatch(/fault http_abort on shop: begun\n[^]*fault http_abort on shop: undone\n/)
    expect(stderr).toMatch(/faultline: violated: Shop survives\n$/)
    expect(stdout).toMatch(/^Shop survives: violated\n {2}fail +errorRate +/)
    expect(await readdir(join(folder, 'results'))).toEqual(expect.arrayContaining(['results.json', 'report.html']))
    const journal = JSON.parse(await readFile(join(folder, 'results/results.json'), 'utf8'))
    expect(journal).toMatchObject({ title: 'Shop survives', outcome: 'violated' })
    expect(stderr).toContain('warning: http://127.0.0.1:1 was not told of finished: ECONNREFUSED\n')
    expect(journal.notifications).toMatchObject([
      { event: 'started', attempts: 2, error: 'ECONNREFUSED' },
      { event: 'finished' },
    ])
    expect([...server.network.leases]).toEqual([])
  })

  test('but with --fail-on-violation=false it is only said', async () => {
    const path = await file('allowed.yaml', abort)
    const { code, stdout } = await run('run', path, '--fail-on-violation=false', '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'violated' })
  })

  test('a dry run shows every step and touches nothing', async () => {
    const path = await file('dry.yaml', abort, 'environment: production')
    const changes = server.network.changes.total
    const { code, stdout } = await run('run', path, '--dry-run')
    // Such an abort is harder than production allows.
    expect(code).toBe(3)
    expect(stdout).toBe('')
    const milder = await file('mild.yaml', 'type: latency, attributes: { latency: 5 }', 'environment: production')
    const dry = await run('run', milder, '--dry-run')
    expect(dry.code).toBe(0)
    expect(dry.stdout).toContain('fault latency on shop; severity 1; touches shop; blast radius 100% of 1')
    expect(server.network.changes.total).toBe(changes)
  })

  test('production needs a confirmation, whatever else is said', async () => {
    const path = await file('production.yaml', 'type: noop', 'environment: production')
    const changes = server.network.changes.total
    const refused = await run('run', path)
    expect(refused.code).toBe(3)
    expect(refused.stderr).toContain('production.yaml:14:14: environment: expected a confirmation that this may act')
    const passed = await run('run', path, '--environment', 'development')
    expect(passed.stderr).toContain('environment: expected development, where this is to run, got "production"')
    const plain = await file('plain.yaml', 'type: noop')
    expect((await run('run', plain, '--environment', 'production')).code).toBe(3)
    expect(server.network.changes.total).toBe(changes)
  })

  test('mistakes of a file, and what only the server knows, have their places', async () => {
    const wrong = await file('wrong.yaml', 'type: latncy')
    expect(await run('run', wrong)).toMatchObject({
      code: 3,
      stdout: '',
      stderr: expect.stringMatching(/wrong\.yaml:9:\d+: phases\.failure\.0\.fault\.type: unknown fault type "latncy"/),
    })
    const elsewhere = await file('elsewhere.yaml', 'type: noop')
    await writeFile(elsewhere, (await readFile(elsewhere, 'utf8')).replace('proxy: shop', 'proxy: shpo'))
    const { stderr } = await run('run', elsewhere)
    expect(stderr).toMatch(/elsewhere\.yaml:9:\d+: .*got "shpo" \(did you mean "shop"\?\)/)
  })

  test.each([
    [['run'], 'expected FILE, --scenario or --suite'],
    [['run', '--scenario', 'a', '--suite', 'b'], 'expected FILE, --scenario or --suite'],
    [['run', '--scenario', 'light-cpu-stres'], 'did you mean "light-cpu-stress"?'],
    [['run', '--scenario', 'light-network-latency'], 'TARGET: missing'],
    [['run', '--scenario', 'light-cpu-stress', '--set', 'WORKERS=many', '--target', 'http://a'], 'WORKERS: expected'],
    [['run', '--suite', 'smoke', '--set', 'COLOUR=red', '--target', 'http://a', '--set', 'PROXY=b'], 'COLOUR: unknown'],
    [['run', 'x.yaml', '--set', 'WORKERS'], '--set: expected NAME=VALUE'],
  ])('%j is told what is wrong', async (args, message) => {
    const { code, stderr } = await run(...args)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  test('a scenario runs with its parameters', async () => {
    const short = ['BASELINE=300ms', 'RECOVERY=500ms', 'DURATION=300ms', 'RATE=50/s', 'BLAST_RADIUS=100%']
    const set = ['PROXY=shop', 'LATENCY=5', ...short].flatMap((value) => ['--set', value])
    const { stdout } = await run('run', '--scenario', 'light-network-latency', '--target', url, ...set)
    expect(stdout).toMatch(/^Light Network Latency: (passed|inconclusive|violated)\n/)
  })
})

describe('faultline scenarios', () => {
  test('lists scenarios and suites, which complete', async () => {
    const { stdout } = await run('scenarios')
    expect(stdout).toMatch(
      /^SCENARIO +DISTURBS +SEVERITY +COMPLEXITY +TITLE\nlight-cpu-stress +resource +light +basic +/,
    )
    expect(stdout).toContain('\nSUITE')
    expect(await complete(commands, ['scenarios', 'breaker'], {})).toMatchObject([{ word: 'breaker-opens' }])
  })

  test('one is explained, and printed as a file that runs', async () => {
    const { stdout } = await run('scenarios', 'container-restart')
    expect(stdout).toMatch(/\n {2}CONTAINER +text +required +Name or id of the container\.\n/)
    const { stdout: yaml } = await run('scenarios', 'light-network-latency', '--yaml')
    const path = join(folder, 'own.yaml')
    await writeFile(path, yaml)
    const args = ['--target', url, '--set', 'PROXY=shop', '--set', 'BLAST_RADIUS=100%']
    const { code, stdout: plan } = await run('run', path, '--dry-run', ...args)
    expect([code, plan]).toEqual([0, expect.stringContaining('fault latency on shop')])
  })
})
