// `faultline watch`: lines, NDJSON, and the live table, through lost connections, until Ctrl-C.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import type { FeedEntryView, ProxyView, StatusView } from '../../admin/client/v1-answers.ts'
import type { FaultProxy } from '../../proxy/index.ts'
import { Output } from '../../cli/output.ts'
import { picture, type Watched } from '../../cli/watch/picture.ts'
import { Rates } from '../../cli/watch/rates.ts'
import { cut } from '../../cli/watch/screen.ts'
import { inProcess, LongRunning, MAIN } from './support.ts'

let server: AdminServer
let redis: FaultProxy

beforeEach(async () => {
  server = await startAdminServer({ port: 0, proxies: [{ name: 'redis', upstream: 'x:1', enabled: false }] })
  redis = server.network.proxy('redis')!
})
afterEach(() => server.close())

/** Runs until it reads the feed: what happens then is seen. */
async function watching(...args: string[]): Promise<LongRunning> {
  const running = LongRunning.faultline(['watch', ...args], { FAULTLINE_URL: server.url, TZ: 'UTC' })
  await expect.poll(() => clientsOf(server), { timeout: 10_000 }).toBe(1)
  return running
}

async function clientsOf({ url }: AdminServer): Promise<unknown> {
  return ((await (await fetch(`${url}/v1/status`)).json()) as StatusView).streams
}

describe('not on a terminal', () => {
  test('it prints a line an event, and ends on Ctrl-C with exit code 0', async () => {
    await using running = await watching()
    redis.addFault({ type: 'latency', ttlMs: 60_000 })
    const line = await running.line((text) => text.includes('fault_added'))
    expect(line).toMatch(/^\d\d:\d\d:\d\d\.\d{3} {2}fault_added {2}redis {2}.*type=latency/)
    expect(await running.stop('SIGINT')).toMatchObject({ code: 0, stderr: '' })
  })

  test('--json prints NDJSON; --types, --proxy and --since choose', async () => {
    await server.network.createProxy({ name: 'other', upstream: 'x:1', enabled: false })
    redis.addFault({ type: 'noop', name: 'before' })
    const args = ['--json', '--types', 'fault_added,fault_removed', '--proxy', 'redis', '--since', '0']
    await using running = await watching(...args)
    server.network.proxy('other')?.addFault({ type: 'noop' })
    redis.removeFault('before')
    await running.line((text) => text.includes('fault_removed'))
    const entries = running.lines.map((line) => JSON.parse(line) as FeedEntryView)
    expect(entries).toMatchObject([
      { type: 'fault_added', proxy: 'redis', detail: { fault: 'before' } },
      { type: 'fault_removed', proxy: 'redis', detail: { fault: 'before', reason: 'request' } },
    ])
    expect(entries[0]?.sequence).toBeLessThan(entries[1]?.sequence ?? 0)
  })

  test('--count ends it after so many', async () => {
    redis.addFault({ type: 'noop' })
    const { code, stdout } = await inProcess(['watch', '--json', '--since', '0', '--count', '2'], {
      FAULTLINE_URL: server.url,
    })
    expect(code).toBe(0)
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as FeedEntryView).type),
    ).toEqual(['proxy_created', 'fault_added'])
  })

  test('when the server comes back it goes on, and says so on stderr', async () => {
    await using running = await watching('--json')
    redis.addFault({ type: 'noop', name: 'first' })
    await running.line((text) => text.includes('first'))
    const port = Number(new URL(server.url).port)
    await server.close()
    server = await startAdminServer({ port, proxies: [{ name: 'redis', upstream: 'x:1', enabled: false }] })
    server.network.proxy('redis')?.addFault({ type: 'noop', name: 'second' })
    await running.line((text) => text.includes('second'))
    const { stderr } = await running.stop('SIGINT')
    expect(stderr).toMatch(/^faultline: .*; trying again in \d+ ms\n/)
  })

  test.each([
    [['--types', 'nonsense'], 2, 'types: unknown type "nonsense"'],
    [['--host', 'http://127.0.0.1:1'], 1, 'cannot reach http://127.0.0.1:1: ECONNREFUSED'],
  ] as const)('%j ends it at once', async (args, exitCode, message) => {
    const { code, stderr } = await inProcess(['watch', ...args], { FAULTLINE_URL: server.url })
    expect(stderr).toContain(message)
    expect(code).toBe(exitCode)
  })
})

const CTRL_C = String.fromCharCode(3)

/** Gives a program a terminal. */
const hasScript = spawnSync('script', ['--version']).status === 0

test.skipIf(!hasScript)('on a terminal it draws a table in place, and gives the terminal back', async () => {
  const command = `stty columns 100 rows 20; exec ${process.execPath} ${MAIN} watch`
  const env = { PATH: process.env['PATH'] ?? '', TERM: 'xterm', FAULTLINE_URL: server.url, SHELL: '/bin/sh' }
  const terminal = spawn('script', ['-qefc', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void terminal.kill())
  const ended = once(terminal, 'exit')
  let shown = ''
  terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  await expect.poll(() => clientsOf(server), { timeout: 10_000 }).toBe(1)
  redis.addFault({ type: 'latency', name: 'slow' })
  await expect.poll(() => shown, { timeout: 10_000 }).toMatch(/redis .*slow[^]*fault_added/)
  expect(shown).toContain('\u001b[?1049h')
  const pictures = shown.split('\u001b[H').slice(1)
  expect(pictures.length).toBeGreaterThan(1)
  for (const drawn of pictures) expect(drawn.split('\n').length).toBeLessThanOrEqual(20)
  terminal.stdin.write(CTRL_C)
  expect(await ended).toEqual([0, null])
  expect(shown.endsWith('\u001b[?25h\u001b[?1049l')).toBe(true)
})

function proxyNamed(name: string, injections = 0): ProxyView {
  const fault = { id: `of-${name}`, name: 'slow', enabled: true, injections }
  return { name, enabled: true, lastError: null, connections: 1, faults: [fault] } as unknown as ProxyView
}

function counted(id: string, injections: number): ProxyView {
  return { name: 'p', faults: [{ id, injections }] } as unknown as ProxyView
}

describe('the picture', () => {
  const status = { version: '1.0.0', seed: 7, stopped: false, connections: 3, enabledFaults: 2 } as StatusView
  const out = new Output({ write: () => undefined }, {})

  function watched(changes: Partial<Watched>): Watched {
    const nothing = { proxies: [], partitions: [], stressors: [], entries: [], rates: new Rates(), lost: undefined }
    return { url: 'http://x', status, ...nothing, ...changes }
  }

  test('has head, proxies, partitions and the latest events', () => {
    const rates = new Rates()
    rates.update([proxyNamed('shop', 10)], 0)
    rates.update([proxyNamed('shop', 50)], 2000)
    const partition = { name: 'partition-1', mode: 'drop', cuts: [['a', 'b']], links: [] }
    const entry = { sequence: 1, timeMs: new Date(2026, 0, 1, 9, 5, 7, 42).getTime(), type: 'stopped', detail: {} }
    const partitions = [partition] as unknown as Watched['partitions']
    const entries = [entry] as Watched['entries']
    expect(picture(out, watched({ proxies: [proxyNamed('shop')], partitions, entries, rates }), 24)).toEqual([
      'faultline 1.0.0 at http://x: 3 connections, 2 faults act, 20 injections/s, seed 7',
      '',
      'PROXY  STATE    CONNECTIONS  INJECTIONS/S  FAULTS',
      'shop   enabled  1            20            slow',
      'partition-1 (drop): a → b',
      '',
      'Latest events',
      '09:05:07.042  stopped  -  ',
    ])
  })

  test('has a line for each stressor, with what it has of what was asked for', () => {
    const stressor = { name: 'cpu-1', type: 'cpu', ttlMs: 60_000, remainingMs: 30_000, lease: null }
    const figures = { requestedNow: { cpuCores: 1.6 }, achieved: { cpuCores: 1.5987 } }
    const stressors = [{ ...stressor, ...figures }] as unknown as Watched['stressors']
    expect(picture(out, watched({ stressors }), 24)).toContain('cpu-1 (cpu): cpuCores 1.599 of 1.6; ends in 30 s')
  })

  test('says that the emergency stop is on, and that the connection is lost', () => {
    const lines = picture(out, watched({ status: { ...status, stopped: true }, lost: 'ECONNREFUSED' }), 24)
    expect(lines.slice(1, 3)).toEqual([
      'EMERGENCY STOP: no fault can be added until "faultline resume"',
      'No connection: ECONNREFUSED',
    ])
  })

  test.each([10, 24, 50])('fits into %i rows, with room for events', (rows) => {
    const proxies = Array.from({ length: 100 }, (_, index) => proxyNamed(`p${index}`))
    const entry = { sequence: 1, timeMs: 0, type: 'resumed', detail: {} }
    const entries = Array.from({ length: 100 }, () => entry) as Watched['entries']
    const lines = picture(out, watched({ proxies, entries }), rows)
    expect(lines.length).toBe(rows)
    expect(lines.filter((line) => line.includes('resumed'))).toHaveLength(4)
    expect(lines.find((line) => line.startsWith('… and '))).toBe(`… and ${100 - (rows - 10)} more`)
  })
})

describe('rates', () => {
  test('are of the time since, also for a fault that is new', () => {
    const rates = new Rates()
    rates.update([counted('f1', 1000)], 0)
    expect(rates.of('p')).toBe(0)
    rates.update([counted('f1', 1010)], 1000)
    expect(rates.of('p')).toBe(10)
    rates.update([counted('f2', 30)], 2000)
    expect(rates.of('p')).toBe(30)
    expect(rates.of()).toBe(30)
  })

  test('of a server that began anew are not negative', () => {
    const rates = new Rates()
    rates.update([counted('f1', 1000)], 0)
    rates.update([counted('f1', 5)], 1000)
    expect(rates.of('p')).toBe(0)
  })

  test('do not jump when asked twice within a moment', () => {
    const rates = new Rates()
    rates.update([counted('f1', 0)], 0)
    rates.update([counted('f1', 10)], 1000)
    rates.update([counted('f1', 11)], 1001)
    expect(rates.of('p')).toBe(10)
  })
})

test.each([
  ['abcdef', 3, 'abc'],
  ['ab', 3, 'ab'],
  ['\u001b[31mabc\u001b[0mdef', 4, '\u001b[31mabc\u001b[0md'],
  ['\u001b[31mabcdef\u001b[0m', 2, '\u001b[31mab\u001b[0m'],
  ['😀😀😀', 2, '😀😀'],
])('%j cut to %i characters keeps its colours whole', (line, columns, expected) => {
  expect(cut(line, columns)).toBe(expected)
})
