// `faultline demo`: what it prints must work, word for word, and the situations that it plays must be as it tells.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { faultline, LongRunning, shell } from './support.ts'

const hasCurl = spawnSync('curl', ['--version']).status === 0

const FREE_PORTS = ['--port', '0', '--proxy-port', '0', '--database-port', '0']

/** Without Postgres, which the script's test has. */
async function start(): Promise<LongRunning> {
  const demo = LongRunning.faultline(['demo', '--http-only', ...FREE_PORTS])
  await demo.line((line) => line === 'Ctrl-C ends it.')
  return demo
}

/** The commands to try: what is indented most. */
function commandsOf(demo: LongRunning): string[] {
  return demo.lines.filter((line) => /^ {5}\S/.test(line)).map((line) => line.trim())
}

/** `22:14:05     76 orders/s  p95 9 ms …`. */
const SECOND = /^\d\d:\d\d:\d\d +\d+ orders\/s {2}p95 /

async function output(line: string): Promise<string> {
  const { code, stdout, stderr } = await shell(line)
  expect({ code, stderr }, line).toEqual({ code: 0, stderr: '' })
  return stdout
}

test.concurrent(
  'the script plays five situations, which are as it tells, with a real Postgres',
  { timeout: 60_000 },
  async () => {
    const { code, stdout, stderr } = await faultline(['demo', '--script', ...FREE_PORTS])
    expect({ code, stderr, stdout }).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('All was as told.'),
    })
    expect(stdout.match(/^\d\. .*/gm)).toHaveLength(5)
    expect(stdout).not.toContain('left out')
    // One line of figures for each situation, and one for the healed network.
    const figures = [...stdout.matchAll(/^ {3}(\d+) orders\/s {2}p95 (\d+) ms +(.*)$/gm)]
    const errors = figures.map(([, , , text = '']) => text.replace(/^\d+/, 'N'))
    expect(errors).toEqual([
      'no errors',
      'no errors',
      'N × payments: HTTP 503',
      'N × database: SQLSTATE 40001',
      'N × payments: no answer in 1 s',
      'no errors',
    ])
    const rates = figures.map(([, rate]) => Number(rate))
    expect(rates[4]).toBe(0)
    // 4 customers who wait 200 ms for each order: 20 orders a second at most. Without the fault it is 80 on an idle machine.
    expect(rates[1]).toBeLessThanOrEqual(20)
    expect(rates[0]).toBeGreaterThan(rates[1]!)
  },
)

test
  .skipIf(!hasCurl)
  .concurrent(
    'it says where things are and why there is no Postgres, its commands do what it says, Ctrl-C ends it',
    { timeout: 60_000 },
    async () => {
      await using demo = await start()
      const places = demo.lines.filter((line) => /^ {2}(?:payments|API) /.test(line))
      expect(places.map((line) => line.indexOf('http://'))).toEqual([12, 12])
      expect(demo.lines).toContain('  There is no Postgres, as it was started with --http-only.')
      expect(demo.lines).toContain(
        'Where Faultline is installed from npm, "npx faultline" stands for "node dist/esm/cli/main.js".',
      )

      const [latency, change, abort, cut, record, heal, ...more] = commandsOf(demo) as [string, ...string[]]
      expect(more).toEqual([])
      const seconds = (wanted: RegExp): Promise<string> => {
        const from = demo.lines.length
        return demo.line((line) => demo.lines.indexOf(line) >= from && SECOND.test(line) && wanted.test(line))
      }
      await seconds(/no errors$/)

      expect(await output(latency)).toContain('latency=300')
      expect(JSON.parse(await output(change!))).toMatchObject({ attributes: { latency: 700 } })
      await seconds(/p95 7\d\d ms.*\(payments: latency_downstream\)/)
      await output(abort!)
      await seconds(/payments: HTTP 503/)
      await output(cut!)
      await seconds(/payments: no answer in 1 s/)
      expect(JSON.parse(await output(record!))).toMatchObject({ injections: [{}, {}, {}] })
      await output(heal!)
      await seconds(/no errors$/)
    },
  )

// It differs from the one with Postgres only in what it leaves out.
test.skipIf(!process.env['FAULTLINE_LONG'])(
  'without Postgres it says what it leaves out',
  { timeout: 60_000 },
  async () => {
    const { code, stdout, stderr } = await faultline(['demo', '--script', '--http-only', ...FREE_PORTS])
    expect({ code, stderr, stdout }).toEqual({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('All was as told.'),
    })
    expect(stdout.match(/left out: .*/g)).toEqual([
      'left out: there is no Postgres, as it was started with --http-only',
    ])
  },
)
