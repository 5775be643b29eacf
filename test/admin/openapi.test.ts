// The OpenAPI document: valid, complete, and good enough for a client that a standard generator makes of it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { validate } from '@readme/openapi-parser'
import { generateApi } from 'swagger-typescript-api'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { faultTypes } from '../../proxy/index.ts'
import { stressorTypes } from '../../resource-stressors/index.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

let server: AdminServer
let document: any

beforeAll(async () => {
  server = await startAdminServer({ port: 0, token: 'secret' })
  const answer = await fetch(`${server.url}/v1/openapi.json`, { headers: { authorization: 'Bearer secret' } })
  document = await answer.json()
})

afterAll(() => server.close())

describe('the document', () => {
  test('is valid', async () => {
    expect(await validate(structuredClone(document))).toMatchObject({ valid: true, warnings: [] })
  })

  test('refers to nothing that it does not have, and has nothing that nobody refers to', () => {
    const text = JSON.stringify(document)
    const referred = new Set([...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name))
    expect(referred).toEqual(new Set(Object.keys(document.components.schemas)))
  })

  test('has every type of fault, with what it takes and what it matches', () => {
    const { FaultSpec: spec, ...schemas } = document.components.schemas
    const types = new Set([...faultTypes('tcp'), ...faultTypes('udp')])
    expect(new Set(Object.keys(spec.discriminator.mapping))).toEqual(types)
    const abort = schemas[spec.discriminator.mapping.http_abort.split('/').at(-1)]
    expect(abort.properties).toMatchObject({
      type: { enum: ['http_abort'] },
      attributes: { properties: { status: { type: 'integer' } } },
      match: { $ref: '#/components/schemas/HttpMatch' },
    })
    expect(abort.required).toEqual(['type']) // all else has defaults
    expect(abort.description).toMatch(/\w/)
    // Over TCP and UDP the same type takes different attributes.
    expect(schemas.CorruptFaultSpec.properties.attributes.anyOf).toHaveLength(2)
  })

  test('has every type of stressor, with what it takes', () => {
    const { StressorSpec: spec, ...schemas } = document.components.schemas
    expect(Object.keys(spec.discriminator.mapping)).toEqual(stressorTypes())
    const cpu = schemas[spec.discriminator.mapping.cpu.split('/').at(-1)]
    expect(cpu.properties).toMatchObject({
      type: { enum: ['cpu'] },
      attributes: { properties: { load: { maximum: 100 } } },
    })
    expect(cpu.required).toEqual(['type'])
  })

  test('tells of each operation what it is, by whom it may be called and how it fails', () => {
    const operations = Object.values<any>(document.paths).flatMap((path) => Object.values<any>(path))
    expect(operations.length).toBeGreaterThan(30)
    for (const { operationId, summary, tags, responses } of operations) {
      expect([operationId, summary, tags]).toEqual([expect.any(String), expect.any(String), [expect.any(String)]])
      expect(responses.default.content).toHaveProperty(['application/problem+json'])
      expect(Object.keys(responses).some((status) => status.startsWith('2'))).toBe(true)
    }
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    expect(document.components.securitySchemes).toEqual({ token: { type: 'http', scheme: 'bearer' } })
  })

  test('has no field of an answer that is secret, and all that may be sent', () => {
    const { Proxy: proxy, ProxySpec: spec } = document.components.schemas
    expect(spec.properties).toHaveProperty('tlsKey')
    expect(proxy.properties).toHaveProperty('tlsCertificate')
    expect(proxy.properties).not.toHaveProperty('tlsKey')
    expect(spec.required).toEqual(['name', 'upstream'])
  })
})

/** What a user of the generated client writes. It must compile, in strict mode, and work. */
const PROGRAM = `
import { Api, type FaultSpec, type StressorSpec } from './client.js'

export async function drive(baseUrl: string, upstream: string, speak: (listen: string) => Promise<void>) {
  const api = new Api<string>({
    baseUrl,
    securityWorker: (token) => (token === null ? {} : { headers: { authorization: \`Bearer \${token}\` } }),
    baseApiParams: { secure: true },
  })
  api.setSecurityData('secret')
  const { v1 } = api
  const proxy = await v1.createProxy({ name: 'p', upstream, from: 'app', to: 'db' })
  const spec: FaultSpec = { type: 'latency', direction: 'upstream', attributes: { latency: 1 } }
  const lease = await v1.createLease({ ttlMs: 60_000 })
  const fault = await v1.addFault({ ...spec, proxy: proxy.name, lease: lease.id })
  await speak(proxy.listen)
  const { injections } = await v1.listInjections({ proxy: 'p' })
  const { connections } = await v1.listConnections()
  await v1.cutConnection(connections[0]?.id ?? '', { how: 'close' })
  await v1.endLease(lease.id)
  const afterLease = await v1.listFaults()
  await v1.createPartition({ groups: [['app'], ['db']] })
  const healed = await v1.heal()
  const pressure: StressorSpec = { type: 'cpu', dryRun: true, attributes: { load: 50, workers: 1 } }
  const planned = await v1.startStressor(pressure)
  const { stressors } = await v1.listStressors()
  const stopped = await v1.stop()
  const refused = await v1.addFault({ type: 'noop', proxy: 'p' }).catch((answer) => answer.error)
  await v1.resume()
  const events = await v1.listEvents({ types: 'stopped,resumed' })
  return {
    faultName: fault.name,
    injected: injections.map(({ action }) => action),
    afterLease: afterLease.faults.length,
    partitions: healed.partitions,
    planned: [planned.state, planned.requested['cpuCores'], stressors.length],
    stopped: stopped.stopped,
    ended: stopped.endedStressors,
    refused: refused.code,
    events: events.events.map(({ type }) => type),
  }
}
`

/** A tsconfig.json as strict as this project's, but for two options that the generator's templates do not keep. */
const STRICT = {
  compilerOptions: {
    target: 'es2022',
    lib: ['es2023', 'dom', 'dom.iterable'],
    types: [],
    module: 'nodenext',
    strict: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    noFallthroughCasesInSwitch: true,
    verbatimModuleSyntax: true,
  },
}

describe('a generated client', () => {
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'faultline-client-'))
  })

  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  test('compiles and drives the server', { timeout: 60_000 }, async () => {
    const { files } = await generateApi({
      spec: process.env['FAULTLINE_LONG'] ? document : withFewFaults(document),
      output: false,
      silent: true,
      httpClientType: 'fetch',
      unwrapResponseData: true,
    })
    const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)
    write('client.ts', files[0]?.fileContent ?? '')
    write('program.ts', PROGRAM)
    write('tsconfig.json', JSON.stringify(STRICT))
    write('package.json', '{ "type": "module" }')
    compile(directory)
    const { drive } = await import(pathToFileURL(join(directory, 'program.js')).href)
    await using upstream = await RawServer.echo()
    expect(await drive(server.url, upstream.address, speak)).toEqual({
      faultName: 'latency_upstream',
      injected: ['delay'],
      afterLease: 0,
      partitions: 0,
      planned: ['planned', 0.5, 0],
      stopped: true,
      ended: 0,
      refused: 'stopped',
      events: ['stopped', 'resumed'],
    })
  })
})

/** The generator takes seconds for all of them. */
function withFewFaults(whole: any): any {
  const few = structuredClone(whole)
  const { FaultSpec: spec, ...schemas } = few.components.schemas
  const mapping = Object.entries<string>(spec.discriminator.mapping)
  const kept = mapping.filter(([type]) => ['latency', 'noop', 'http_abort'].includes(type))
  spec.discriminator.mapping = Object.fromEntries(kept)
  spec.oneOf = kept.map(([, $ref]) => ({ $ref }))
  for (const [, name] of mapping.filter((entry) => !kept.includes(entry))) delete schemas[name.split('/').at(-1)!]
  few.components.schemas = { FaultSpec: spec, ...schemas }
  return few
}

async function speak(listen: string): Promise<void> {
  const client = await RawSocket.connect(Number(listen.split(':')[1]))
  client.write('x')
  await client.untilBytes(1)
}

function compile(directory: string): void {
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', directory], { encoding: 'utf8' })
  expect([stdout, status]).toEqual(['', 0])
}
