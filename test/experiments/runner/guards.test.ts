// Guards that no combination of flags passes: whatever is said beside it, what must not act does not.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../../admin/index.ts'
import { inProcess, type Ended } from '../../cli/support.ts'
import { startHttpService, type HttpService } from '../../support/http-service.ts'
import { remains, textOf } from './support.ts'

let folder: string
let service: HttpService
let server: AdminServer
let url: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-guards-'))
  service = await startHttpService((_request, response) => {
    response.end('hello')
  })
  const upstream = `127.0.0.1:${service.port}`
  const links = ['b', 'c', 'd'].map((name) => ({ name, upstream, from: `client-${name}`, to: name }))
  server = await startAdminServer({ port: 0, proxies: [{ name: 'shop', upstream, protocol: 'http' }, ...links] })
  url = `http://127.0.0.1:${server.network.proxy('shop')?.port}`
})
afterAll(async () => {
  await server.close()
  await service[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

function faultline(args: readonly string[]): Promise<Ended> {
  return inProcess(['run', ...args], { FAULTLINE_URL: server.url, URL: url })
}

interface Flags {
  readonly environment?: string
  readonly isConfirmed: boolean
}

interface Guarded {
  /** What is run: a file's parts, or a scenario. */
  readonly failure?: string
  readonly safety?: string
  readonly head?: string
  readonly args?: readonly string[]
  /** Flags that open the guard, as they are meant to: those are not tried. Default: none do. */
  readonly opens?: (flags: Flags) => boolean
  /** What is said, unless something else is wrong, too. */
  readonly says: string
}

const fault = (proxy: string, type = 'noop', more = ''): string =>
  `{ fault: { proxy: ${proxy}, type: ${type}${more} }, for: 200ms }`
const abort = fault('shop', 'http_abort', ', attributes: { status: 503 }')
const elsewhere = ({ environment }: Flags): boolean => environment !== 'production'

const guarded: Readonly<Record<string, Guarded>> = {
  'production by its file': {
    failure: `[${fault('b')}]`,
    head: 'environment: production',
    // Where it is said to be something else, it is refused for that.
    opens: ({ environment, isConfirmed }) => isConfirmed && (environment ?? 'production') === 'production',
    says: 'environment: expected',
  },
  'production by a flag': {
    failure: `[${fault('b')}]`,
    opens: (flags) => elsewhere(flags) || flags.isConfirmed,
    says: 'expected a confirmation that this may act in production',
  },
  'a step too hard for production': {
    failure: `[${abort}]`,
    opens: elsewhere,
    says: 'a step of severity 3 at most, safety.severity',
  },
  'a step too hard for its file': {
    failure: `[${fault('shop', 'latency', ', attributes: { latency: 2000 }')}]`,
    safety: '{ severity: 2 }',
    says: 'a step of severity 2 at most, safety.severity',
  },
  'a ramp that begins too hard': {
    failure: `[{ fault: { proxy: shop, type: latency, attributes: { latency: 20 } }, for: 400ms, ramp: 400ms, rampFrom: { attributes: { latency: 9000 } } }]`,
    safety: '{ severity: 2 }',
    says: 'a step of severity 2 at most, safety.severity',
  },
  'faults that stay, in production': {
    failure: `[${fault('b')}]`,
    safety: '{ rollback: false, keepFor: 1s }',
    opens: elsewhere,
    says: 'safety.rollback: expected true in production, got false',
  },
  'two proxies of four, one after another': {
    failure: `[${fault('b')}, ${fault('c')}]`,
    says: 'at most 30% of the proxies, safety.blastRadius, got 2 of 4 (50%)',
  },
  'two proxies of four, by a partition': {
    failure: '[{ partition: { groups: [[client-b, client-c], [b, c]] }, for: 200ms }]',
    opens: ({ environment }) => environment === 'production', // too hard there: above
    says: 'at most 30% of the proxies, safety.blastRadius, got 2 of 4 (50%)',
  },
  'a proxy more than its type may have': {
    failure: `[${fault('b')}]`,
    safety: '{ blastRadius: 100%, blastRadiusByType: { noop: 20% } }',
    says: 'at most 20% of the proxies, safety.blastRadiusByType.noop, got 1 of 4 (25%)',
  },
  'a scenario too hard for production': {
    args: ['--scenario', 'database-brief-outage', '--target', 'http://127.0.0.1:1', '--set', 'PROXY=b'],
    opens: elsewhere,
    says: 'a step of severity 3 at most, safety.severity',
  },
  'a scenario on more than it may touch': {
    args: ['--scenario', 'dependency-cascade', '--target', 'http://127.0.0.1:1', '--set=PROXY=b', '--set=PROXY_2=c'],
    opens: ({ environment }) => environment === 'production', // too hard there: above
    says: 'at most 30% of the proxies, safety.blastRadius, got 2 of 4 (50%)',
  },
}

const isLong = process.env['FAULTLINE_LONG'] !== undefined

/** None of these has to do with a guard: each is given or not; in short runs all of them or none. */
function otherFlags(isFile: boolean): readonly (readonly string[])[] {
  const plain = ['--fail-on-violation=false', '--json', '--verbose']
  const scale = ['--scale-time', '0.01']
  // Variables that sound as if they were the guards'. A scenario refuses them.
  const variables = isFile ? ['environment=development', 'BLAST_RADIUS=100%', 'severity=5'] : []
  const set = variables.flatMap((text) => ['--set', text])
  return isLong ? [...plain.map((flag) => [flag]), scale, set] : [[...plain, ...scale, ...set]]
}

function* combinations(isFile: boolean): Generator<Flags & { readonly args: readonly string[] }> {
  const optional = otherFlags(isFile)
  for (const environment of [undefined, 'development', 'staging', 'production']) {
    for (const isConfirmed of [false, true]) {
      for (let bits = 0; bits < 2 ** optional.length; bits++) {
        const given = optional.filter((_flags, index) => (bits >> index) % 2 === 1).flat()
        const args = [
          ...(environment === undefined ? [] : ['--environment', environment]),
          ...(isConfirmed ? ['--yes-i-mean-production'] : []),
          ...given,
        ]
        yield { ...(environment !== undefined && { environment }), isConfirmed, args }
      }
    }
  }
}

async function fileOf({ failure = '', safety = '{}', head = '' }: Guarded): Promise<readonly string[]> {
  const path = join(folder, 'guarded.yaml')
  await writeFile(path, textOf(url, { failure, safety, head }))
  return [path]
}

describe('no flags let act', () => {
  test.each(Object.entries(guarded))('%s', { timeout: 60_000 }, async (_what, given) => {
    const what = given.args ?? (await fileOf(given))
    const before = server.network.changes.total
    let tried = 0
    for (const { args, ...flags } of combinations(given.args === undefined)) {
      if (given.opens?.(flags) === true) continue
      tried++
      const { code, stdout, stderr } = await faultline([...what, ...args])
      // 3: it could not be carried out.
      expect({ args, code, stdout, stderr }).toEqual({
        args,
        code: 3,
        stdout: '',
        stderr: expect.stringContaining(given.says),
      })
    }
    expect(tried).toBeGreaterThan(0)
    expect(server.network.changes.total).toBe(before)
  })

  test('anything while the emergency stop is on', { timeout: 60_000 }, async () => {
    const what = await fileOf({ failure: `[${fault('b')}]`, says: '' })
    server.network.stop()
    try {
      const before = server.network.changes.total
      for (const { args } of combinations(true)) {
        const { code, stderr } = await faultline([...what, ...args])
        expect({ args, code, stderr }).toEqual({
          args,
          code: 3,
          stderr: expect.stringContaining('the emergency stop of'),
        })
      }
      expect(server.network.changes.total).toBe(before)
    } finally {
      server.network.resume()
    }
  })

  test('a fourth experiment at a time', async () => {
    const what = await fileOf({ failure: `[${fault('b')}]`, says: '' })
    let most = 0
    const unsubscribe = server.network.changes.subscribe(() => {
      most = Math.max(most, [...server.network.leases].filter(({ ahead }) => ahead === 0).length)
    })
    const flags = [[], ['--environment', 'development', '--json'], ['--yes-i-mean-production'], ['--scale-time', '0.9']]
    const ended = await Promise.all(flags.map((args) => faultline([...what, ...args])))
    unsubscribe()
    // Of so few probes nothing else is certain, but all of them had their turn.
    expect(ended.map(({ stdout }) => stdout.includes('a test'))).toEqual(flags.map(() => true))
    expect([most, remains(server.network)]).toEqual([3, []])
    expect(ended.filter(({ stderr }) => stderr.includes('waits for its turn: 1 to end before'))).toHaveLength(1)
  })
})
