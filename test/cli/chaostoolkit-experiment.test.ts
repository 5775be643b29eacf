// `faultline run` on experiments of Chaos Toolkit: recognised, run against a real server, with the original's exit codes.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { action, http, probe, shell, steady, toxi } from '../experiments/chaostoolkit/support.ts'
import { startHttpService, type HttpService } from '../support/http-service.ts'
import { inProcess, type Ended } from './support.ts'

type Parts = Readonly<Record<string, unknown>>

let folder: string
let service: HttpService
let server: AdminServer
let url: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-ctk-cli-'))
  let isWrecked = false
  service = await startHttpService(({ url: path }, response) => {
    if (path === '/wreck') isWrecked = true
    if (path === '/repair') isWrecked = false
    response.writeHead(isWrecked ? 500 : 200).end('hello')
  })
  server = await startAdminServer({ port: 0, token: 'secret', proxies: [proxy()] })
  url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
})
afterEach(() => server.network.reset())
afterAll(async () => {
  await server.close()
  await service[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function proxy() {
  return { name: 'shop', upstream: `127.0.0.1:${service.port}` }
}

async function run(parts: Parts, ...flags: string[]): Promise<Ended> {
  const path = join(folder, 'experiment.json')
  await writeFile(path, JSON.stringify({ title: 'The shop answers', description: 'Why.', method: [], ...parts }))
  return inProcess(['run', path, ...flags], { FAULTLINE_URL: server.url, FAULTLINE_TOKEN: 'secret', SHOP: url })
}

const configuration = { shop: { type: 'env', key: 'SHOP' } }
const answers = steady(probe('it answers', http('${shop}', { timeout: 1 }), { tolerance: 200 }))
const onShop = { for_proxy: 'shop', toxic_name: 'slow' }
const slow = action('slow', toxi('toxic.actions', 'create_latency_toxic', { ...onShop, latency: 1 }))
const heal = action('heal', toxi('toxic.actions', 'delete_toxic', onShop))
const wreck = action('wreck', http('${shop}/wreck'))
const repair = action('repair', http('${shop}/repair'))

describe('an experiment of Chaos Toolkit', () => {
  test('is recognised by its fields, completes, and leaves its journal', async () => {
    const output = join(folder, 'output')
    const parts = { configuration, ...answers, method: [slow, heal], contributions: { reliability: 'high' } }
    const { code, stdout, stderr } = await run(parts, '--output', output)
    expect([code, stdout]).toEqual([0, `The shop answers: completed\nWrote ${join(output, 'journal.json')}\n`])
    expect(stderr).toMatch(/action slow\naction heal\n/)
    const journal = JSON.parse(await readFile(join(output, 'journal.json'), 'utf8'))
    expect(journal).toMatchObject({ status: 'completed', deviated: false, run: [{ status: 'succeeded' }, {}] })
  })

  test('ends with 1 when its steady state deviates, unless that is no failure; rollbacks are played', async () => {
    const parts = { configuration, ...answers, method: [slow, wreck], rollbacks: [heal, repair] }
    const { code, stdout, stderr } = await run(parts)
    expect([code, stdout]).toEqual([1, 'The shop answers: completed, deviated\n'])
    expect(stderr).toMatch(/faultline: completed, deviated: The shop answers\n$/)
    expect([...(server.network.proxy('shop')?.faults ?? [])]).toEqual([])
    const allowed = await run(parts, '--fail-on-violation=false', '--json')
    expect([allowed.code, JSON.parse(allowed.stdout).deviated]).toEqual([0, true])
    const kept = await run(parts, '--rollback-strategy', 'never')
    expect(kept.stdout).toContain('left: ')
    expect([...(server.network.proxy('shop')?.faults ?? [])]).toHaveLength(1)
  })

  test('is strict unless it is to be as the original', async () => {
    const parts = steady(probe('never', http(`${url}/`), { tolerance: 404 }))
    expect(await run(parts)).toMatchObject({ code: 1, stdout: 'The shop answers: failed\n' })
    expect(await run(parts, '--compat', 'chaostoolkit')).toMatchObject({ code: 0 })
  })

  test('takes variables with types, and a shell only if that is allowed', async () => {
    const pause = { ...action('wait', shell('exit 0')), pauses: { after: '${seconds}' } }
    const parts = { configuration: { seconds: 60 }, method: [pause] }
    expect(await run(parts, '--var', 'seconds:float=0.01')).toMatchObject({ code: 0 })
    expect((await run(parts, '--var', 'seconds:int=x')).stderr).toContain('--var: expected NAME=VALUE, or NAME:TYPE')
    const piped = { method: [action('pipe', { type: 'process', path: 'echo', arguments: 'a | grep a' })] }
    const refused = await run(piped)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/experiment\.json:1:\d+: method\.0\./)])
    expect(await run(piped, '--allow-shell')).toMatchObject({ code: 0 })
  })

  test('touches nothing in a dry run, and asks no server', async () => {
    const changes = server.network.changes.total
    const parts = { configuration, ...answers, method: [slow] }
    const { code } = await run(parts, '--dry-run', '--host', 'http://127.0.0.1:1')
    expect(code).toBe(0)
    expect(server.network.changes.total).toBe(changes)
  })

  test('warns of what it ignores', async () => {
    const { code, stderr } = await run({ method: [], colour: 'red' })
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/experiment\.json: warning: line 1: .*colour.*; it is ignored\n/),
    ])
  })

  test.each([
    [['--target', 'http://a'], "--target: expected an experiment of Faultline's own format"],
    [['--yes-i-mean-production'], '--yes-i-mean-production: expected'],
    [['--scale-time', '0.5'], "--scale-time: expected an experiment of Faultline's own format"],
    [['--environment', 'production'], '--environment: expected'],
    [['--set', 'A=b'], '--set: expected'],
  ])('%j has no meaning for it', async (flags, message) => {
    expect(await run({}, ...flags)).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
  })
})

test('flags for Chaos Toolkit are refused beside an experiment of ours, and so is a format beside a scenario', async () => {
  const path = join(folder, 'own.yaml')
  await writeFile(path, 'title: Own\nsteadyState: []\nphases: {}\n')
  const { code, stderr } = await inProcess(['run', path, '--allow-shell'])
  expect([code, stderr]).toEqual([2, expect.stringContaining('--allow-shell: expected an experiment of Chaos Toolkit')])
  const said = await inProcess(['run', path, '--format', 'chaostoolkit'])
  expect([said.code, said.stderr]).toEqual([1, expect.stringContaining('description: missing')])
  const scenario = await inProcess(['run', '--scenario', 'light-cpu-stress', '--format', 'faultline'])
  expect([scenario.code, scenario.stderr]).toEqual([2, expect.stringContaining('--format: expected FILE')])
})
