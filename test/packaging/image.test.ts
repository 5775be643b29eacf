// The image without an engine: the Dockerfile is linted, and what it would hold is laid out and run as it says.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { validate } from 'dockerfile-utils'
import { describe, expect, test } from 'vitest'
import { ROOT, parseLog, type LogLine } from '../cli/support.ts'
import { Container, whyNoContainer } from './container.ts'
import { dockerfileText, readImage } from './dockerfile.ts'
import { ProductionTree, productionPackages, sizeOf } from './production-tree.ts'

const image = readImage()

test('the Dockerfile has nothing that a linter would say', () => {
  expect(validate(dockerfileText)).toEqual([])
  // The linter sees mistakes.
  expect(validate(dockerfileText.replace('ENTRYPOINT', 'ENTRYPONT'))).not.toEqual([])
})

describe('the Dockerfile', () => {
  test('has two stages on the slim image of one release of Node, which the package supports', () => {
    expect(image.bases).toEqual(['node:24-slim', 'node:24-slim'])
    const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { engines: { node: string } }
    expect(engines.node).toBe('>=20.19')
  })

  test('runs as a user that is not root, and not the one of applications on Node', () => {
    for (const id of Object.values(image.user)) expect([0, 1000]).not.toContain(id)
  })

  test('copies only what the build has made', () => {
    expect(new Set(image.copies.map(({ from }) => from))).toEqual(new Set(['build']))
    expect(image.copies.flatMap(({ sources }) => sources)).toContain('/build/LICENSE')
  })

  test('publishes the API, checks its health, and says what it is', () => {
    expect(image.ports).toEqual(['8474'])
    expect(image.healthcheck).toEqual(['faultline', 'healthcheck'])
    for (const label of ['title', 'description', 'licenses']) {
      expect(image.labels).toMatch(new RegExp(`org\\.opencontainers\\.image\\.${label}="[^"]+"`))
    }
  })

  test('leaves no lists of packages in a layer', () => {
    expect(dockerfileText.match(/apt-get install[^&]*--no-install-recommends/g)).toHaveLength(1)
    expect(dockerfileText).toContain('rm -rf /var/lib/apt/lists/*')
  })
})

test('what the build does not need stays out of it, and of a layer', () => {
  const ignored = readFileSync(join(ROOT, '.dockerignore'), 'utf8').split('\n')
  for (const name of ['.git', '**/node_modules', 'dist', 'test']) expect(ignored).toContain(name)
})

// ---- what is installed ---------------------------------------------------------------------------------------------

const MEGABYTE = 1_000_000

/** Built, without what Docker leaves out. */
const ownBytes = sizeOf(join(ROOT, 'dist', 'esm'))
const packages = productionPackages().map((folder) => ({ name: folder, bytes: sizeOf(join(ROOT, folder)) }))
const allBytes = packages.reduce((sum, { bytes }) => sum + bytes, ownBytes)

const inMegabytes = (bytes: number): string => (bytes / MEGABYTE).toFixed(1)

test(`${packages.length} packages and Faultline are ${inMegabytes(allBytes)} MB, of 60 at most`, () => {
  expect(packages.length).toBeGreaterThan(20)
  const largest = packages.toSorted((one, other) => other.bytes - one.bytes).slice(0, 10)
  const list = largest.map(({ name, bytes }) => `${inMegabytes(bytes)} MB ${name}`).join('\n')
  expect(allBytes, `the largest are\n${list}`).toBeLessThan(60 * MEGABYTE)
  // All of it, and not a part that happened to be there.
  expect(allBytes).toBeGreaterThan(10 * MEGABYTE)
})

// ---- what runs -----------------------------------------------------------------------------------------------------

const reason = whyNoContainer()

const ADD_FAULT = `
const post = async (path, body) => {
  const headers = { 'content-type': 'application/json' }
  const { status } = await fetch('http://127.0.0.1:8474/v1/proxies' + path, { method: 'POST', headers, body })
  return status
}
const proxy = { name: 'db', listen: '127.0.0.1:5432', upstream: '127.0.0.1:1', protocol: 'postgres' }
const fault = { type: 'pg_error', attributes: { code: '40001' }, match: { statement: 'update' } }
const created = await post('', JSON.stringify(proxy))
console.log(created, await post('/db/faults', JSON.stringify(fault)))
`

test.skipIf(reason !== undefined)(
  `its command runs on a root that can only be read, is healthy, and ends on SIGTERM${reason === undefined ? '' : ` (not here: ${reason})`}`,
  { timeout: 60_000 },
  async () => {
    using tree = new ProductionTree(image)
    await using container = Container.start(image, tree.path)
    const errors = text(container.process.stderr!)
    const log: LogLine[] = []
    const lines = createInterface(container.process.stdout!)
    const exited = once(container.process, 'exit')
    const started = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        log.push(parseLog(line))
        if (log.at(-1)?.msg === 'faultline started') resolve()
      })
    })
    await Promise.race([started, exited])
    expect(container.process.exitCode, await (container.process.exitCode === null ? '' : errors)).toBeNull()
    expect(log.at(-1)).toMatchObject({ host: '0.0.0.0', port: 8474 })

    expect(await container.exec(image.healthcheck)).toEqual({ code: 0, output: 'healthy\n' })
    // What is loaded late is there, too: the parser of the faults of Postgres.
    expect(await container.exec(['node', '--input-type=module', '--eval', ADD_FAULT])).toEqual({
      code: 0,
      output: '201 201\n',
    })
    const writing =
      'id -u; for place in . /tmp /; do touch $place/x 2>/dev/null && echo "$place can be written"; done; :'
    expect(await container.exec(['sh', '-c', writing])).toEqual({ code: 0, output: `${image.user.uid}\n` })

    container.process.kill('SIGTERM')
    const [code] = await exited
    expect({ code, errors: await errors }).toEqual({ code: 0, errors: '' })
    expect(log.at(-1)).toMatchObject({ msg: 'faultline stopped' })
    expect(log.filter(({ level }) => level === 'error')).toEqual([])
  },
)
