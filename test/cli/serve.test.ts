// `faultline serve`: Toxiproxy's flags, the log, how it starts and how it ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { version } from '../../proxy/version.ts'
import { freePort } from '../support/sockets.ts'
import { faultline, listening, LongRunning, parseLog, serve } from './support.ts'

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

describe.concurrent('starting', () => {
  test('it logs where it listens, with which seed and in which version', async () => {
    await using server = await serve(['-seed', '42'])
    expect(server.startLine).toMatchObject({ level: 'info', host: '127.0.0.1', seed: 42, version })
    expect(server.port).toBeGreaterThan(0)
    expect(await get(`${server.url}/proxies`)).toEqual({})
  })

  test('without a seed it takes a random one, and logs it', async () => {
    await using one = await serve()
    await using two = await serve()
    expect(one.startLine['seed']).not.toBe(two.startLine['seed'])
  })

  test.each([
    ['one dash and a space', ['-seed', '-7', '-host', '127.0.0.1']],
    ['one dash and an equals sign', ['-seed=-7', '-host=127.0.0.1']],
    ['two dashes and a space', ['--seed', '-7', '--host', '127.0.0.1']],
    ['two dashes and an equals sign', ['--seed=-7', '--host=127.0.0.1']],
  ])('flags may be written with %s', async (_name, args) => {
    await using server = await serve(args)
    expect(server.startLine).toMatchObject({ seed: -7, host: '127.0.0.1' })
  })

  test('every line of the log is JSON, and tells the time', async () => {
    await using server = await serve()
    await server.process.stop()
    for (const line of server.process.lines) {
      expect(parseLog(line)).toMatchObject({ level: 'info', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) })
    }
  })

  test('on all interfaces it warns that there is no authentication', async () => {
    await using server = await serve(['-host', '0.0.0.0'])
    const line = await server.process.line((text) => parseLog(text).level === 'warn')
    expect(parseLog(line)).toMatchObject({ host: '0.0.0.0', msg: expect.stringContaining('no authentication') })
  })

  test.each(['localhost', '127.0.0.2'])('on %s it does not', async (host) => {
    await using server = await serve(['-host', host])
    await server.process.stop()
    expect(server.process.lines.map(parseLog).filter(({ level }) => level !== 'info')).toEqual([])
  })

  test.each([
    [['-proxy-metrics'], true, false],
    [['-proxy-metrics=false'], false, false],
    [['-proxy-metrics=F', '-runtime-metrics=true'], false, true],
    [['-runtime-metrics'], true, true],
    [[], true, false],
  ])('with %j /metrics has proxy metrics: %s, runtime metrics: %s', async (args, proxyMetrics, runtimeMetrics) => {
    await using server = await serve(args)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics.includes('toxiproxy_proxy_received_bytes_total')).toBe(proxyMetrics)
    expect(/^(?:process|nodejs|go)_/m.test(metrics)).toBe(runtimeMetrics)
  })

  test('-version shows the version and starts nothing', async () => {
    const expected = { code: 0, stdout: `faultline ${version}\n`, stderr: '' }
    expect(await faultline(['serve', '-version'])).toEqual(expected)
    expect(await faultline(['--version'])).toEqual(expected)
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
    const { code, stdout, stderr } = await faultline(['serve', '-port', '0', '-config', await configFile(content)])
    expect(stderr).toMatch(message)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('that does not exist is a usage error', async () => {
    const { code, stdout, stderr } = await faultline(['serve', '-config', join(folder, 'none.json')])
    expect(stderr).toMatch(/--config: .*ENOENT/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe.concurrent('LOG_LEVEL', () => {
  test.each(['debug', 'DEBUG'])('%s lets more lines through', async (level) => {
    await using server = await serve([], { LOG_LEVEL: level })
    await get(`${server.url}/version`)
    await server.process.line((line) => parseLog(line).level === 'debug' && parseLog(line)['path'] === '/version')
  })

  test.each(['warn', 'error', 'fatal', 'panic', 'disabled'])('%s silences the rest', async (level) => {
    const port = await freePort()
    await using server = LongRunning.faultline(['serve', '-port', String(port)], { LOG_LEVEL: level })
    await listening(port)
    expect(await server.stop()).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  test('that there is not is a usage error', async () => {
    const { code, stdout, stderr } = await faultline(['serve', '-port', '0'], { LOG_LEVEL: 'verbose' })
    expect(stderr).toContain('LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, panic, disabled')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})
