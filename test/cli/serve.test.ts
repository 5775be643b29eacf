// `faultline serve`: Toxiproxy's flags, the log, how it starts and how it ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLogger } from '../../cli/log.ts'
import { Output } from '../../cli/output.ts'
import { version } from '../../proxy/version.ts'
import { freePort } from '../support/sockets.ts'
import { faultline, inProcess, listening, LongRunning, parseLog, serve, type Serving } from './support.ts'

/** A server is half a second of CPU: short runs start one for each thing that is to be seen, long ones for each spelling. */
const LONG = Boolean(process.env['FAULTLINE_LONG'])

type MetricsFlags = readonly [args: readonly string[], proxyMetrics: boolean, runtimeMetrics: boolean]

const metricsFlags: readonly MetricsFlags[] = [
  [['-proxy-metrics=F', '-runtime-metrics=true'], false, true],
  [['-runtime-metrics'], true, true],
  [[], true, false],
]
const moreMetricsFlags: readonly MetricsFlags[] = [
  [['-proxy-metrics'], true, false],
  [['-proxy-metrics=false'], false, false],
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-cli-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function configFile(content: unknown): Promise<string> {
  const path = join(folder, `${Math.random()}.json`)
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

async function get(url: string): Promise<unknown> {
  return (await fetch(url)).json()
}

describe('a server that is told nothing but where to listen', () => {
  let servers: Serving[] = []
  beforeAll(async () => {
    servers = await Promise.all(['localhost', '127.0.0.2'].map((host) => serve(['-host', host])))
  })
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]()
  })

  test('logs where it listens and in which version, and has no proxies', async () => {
    const [server, other] = servers
    expect(server?.startLine).toMatchObject({ level: 'info', host: '127.0.0.1', version })
    expect(other?.startLine).toMatchObject({ host: '127.0.0.2' })
    expect(server?.port).toBeGreaterThan(0)
    expect(await get(`${server?.url}/proxies`)).toEqual({})
  })

  test('takes a random seed, and logs it', () => {
    const [one, two] = servers.map(({ startLine }) => startLine['seed'])
    expect(one).toEqual(expect.any(Number))
    expect(one).not.toBe(two)
  })

  test('warns of nothing; every line of the log is JSON, and tells the time', async () => {
    for (const { process } of servers) {
      await process.stop()
      expect(process.lines.length).toBeGreaterThan(1)
      for (const line of process.lines) {
        expect(parseLog(line)).toMatchObject({ level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) })
      }
    }
  })
})

describe.concurrent('starting', () => {
  test.each([
    ['one dash, a space and an equals sign', ['-seed', '-7', '-host=127.0.0.1']],
    ['two dashes, a space and an equals sign', ['--host', '127.0.0.1', '--seed=-7']],
  ])('flags may be written with %s', async (_name, args) => {
    await using server = await serve(args)
    expect(server.startLine).toMatchObject({ seed: -7, host: '127.0.0.1' })
  })

  test('on all interfaces it warns that there is no authentication', async () => {
    await using server = await serve(['-host', '0.0.0.0'])
    const line = await server.process.line((text) => parseLog(text).level === 'warn')
    expect(parseLog(line)).toMatchObject({ host: '0.0.0.0', msg: expect.stringContaining('no authentication') })
  })

  test.each([...metricsFlags, ...(LONG ? moreMetricsFlags : [])])(
    'with %j /metrics has proxy metrics: %s, runtime metrics: %s',
    async (args, proxyMetrics, runtimeMetrics) => {
      await using server = await serve(args)
      const metrics = await (await fetch(`${server.url}/metrics`)).text()
      expect(metrics.includes('toxiproxy_proxy_received_bytes_total')).toBe(proxyMetrics)
      expect(/^(?:process|nodejs|go)_/m.test(metrics)).toBe(runtimeMetrics)
    },
  )

  test('-version shows the version and starts nothing', async () => {
    const expected = { code: 0, stdout: `faultline ${version}\n`, stderr: '' }
    expect(await faultline(['serve', '-version'])).toEqual(expected)
    expect(await inProcess(['--version'])).toEqual(expected)
  })
})

describe.concurrent('the configuration file', () => {
  test('gives proxies with their toxics', async () => {
    const config = await configFile([
      {
        name: 'db',
        listen: '127.0.0.1:0',
        upstream: '127.0.0.1:1',
        toxics: [{ type: 'latency', stream: 'upstream', attributes: { latency: 5 } }],
      },
      { name: 'off', listen: '127.0.0.1:0', upstream: '127.0.0.1:1', enabled: false },
    ])
    await using server = await serve(['-config', config])
    expect(await get(`${server.url}/proxies`)).toMatchObject({
      db: { enabled: true, toxics: [{ name: 'latency_upstream', attributes: { latency: 5, jitter: 0 } }] },
      off: { enabled: false, toxics: [] },
    })
  })

  test('with fields that mean nothing is warned of in the log', async () => {
    const config = await configFile([{ name: 'db', listen: '127.0.0.1:0', upstream: '127.0.0.1:1', upsteam: 'x' }])
    await using server = await serve(['-config', config])
    const line = await server.process.line((text) => parseLog(text).level === 'warn')
    expect(parseLog(line)).toMatchObject({ config, msg: expect.stringMatching(/upsteam.*did you mean "upstream"/) })
  })

  test.each([
    ['that is not JSON', '[{', /--config: .*json:1:3: expected JSON/],
    ['with fields that there are not', { proxis: {} }, /json:1:2: proxis: unknown field.*did you mean "proxies"/],
    [
      'with a wrong type',
      [{ name: 'a', upstream: 5 }],
      /--config: .*json:1:25: \[0\]\.upstream: expected a non-empty string/,
    ],
    ['with an unknown toxic', [{ name: 'a', upstream: 'x:1', toxics: [{ type: 'lag' }] }], /\[0\]\.toxics\[0\]\.type/],
    ['with a bad address', [{ name: 'a', upstream: 'x:1', listen: 'nonsense' }], /nonsense: missing port/],
  ])('%s is a usage error that says where, and nothing is started', async (_name, content, message) => {
    const { code, stdout, stderr } = await inProcess(['serve', '-port', '0', '-config', await configFile(content)])
    expect(stderr).toMatch(message)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('that does not exist is a usage error', async () => {
    const { code, stdout, stderr } = await inProcess(['serve', '-config', join(folder, 'none.json')])
    expect(stderr).toMatch(/--config: .*ENOENT/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe.concurrent('LOG_LEVEL', () => {
  test('DEBUG lets more lines through', async () => {
    await using server = await serve([], { LOG_LEVEL: 'DEBUG' })
    await get(`${server.url}/version`)
    await server.process.line((line) => parseLog(line).level === 'debug' && parseLog(line)['path'] === '/version')
  })

  test.each([
    ['trace', 'trace'],
    ['warn', 'warn'],
    ['Error', 'error'],
    ['fatal', 'fatal'],
    ['panic', 'fatal'],
    ['disabled', 'silent'],
  ])('%s is the level %s', async (name, level) => {
    const out = new Output({ write: () => true }, {})
    expect((await createLogger(out, { LOG_LEVEL: name })).level).toBe(level)
  })

  test.each(LONG ? ['warn', 'error', 'fatal', 'panic', 'disabled'] : ['panic'])(
    '%s silences the rest',
    async (level) => {
      const port = await freePort()
      await using server = LongRunning.faultline(['serve', '-port', String(port)], { LOG_LEVEL: level })
      await listening(port)
      expect(await server.stop()).toEqual({ code: 0, stdout: '', stderr: '' })
    },
  )

  test('that there is not is a usage error', async () => {
    const { code, stdout, stderr } = await inProcess(['serve', '-port', '0'], { LOG_LEVEL: 'verbose' })
    expect(stderr).toContain('LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, panic, disabled')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})
