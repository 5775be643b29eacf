import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { createProbe } from '../../../experiments/probes/create.ts'
import type { ProbeAnswer } from '../../../experiments/probes/probe.ts'
import type { ProcessProbeSpec } from '../../../experiments/probes/process.ts'

/** Polls end as soon as it is so; a busy machine may take longer than vitest's second. */
const WITHIN = { timeout: 5000 }
const never = new AbortController().signal

async function run(argv: string[], spec: Partial<ProcessProbeSpec> = {}): Promise<ProbeAnswer> {
  await using probe = createProbe({ kind: 'process', name: 'program', argv, ...spec })
  return await probe.run(never)
}

function sleepers(seconds: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' }).split('\n')
  const found = lines.filter((line) => line.trim().endsWith(` sleep ${seconds}`))
  return found.map((line) => Number.parseInt(line, 10))
}

test('arguments are what they are: no shell reads them', async () => {
  const answer = await run(['printf', '%s|%s', '$HOME `id` * "', 'a;b'])
  expect(answer).toEqual({
    good: true,
    observed: { kind: 'process', exitCode: 0, signal: null, stdout: '$HOME `id` * "|a;b', stderr: '' },
  })
})

test('the exit code decides', async () => {
  const three = ['sh', '-c', 'echo why >&2; exit 3']
  expect(await run(three)).toMatchObject({
    good: false,
    reason: 'exit code 3, expected 0',
    observed: { exitCode: 3, stderr: 'why\n' },
  })
  expect(await run(three, { expect: { exitCode: [2, 3] } })).toMatchObject({ good: true })
  const killed = ['sh', '-c', 'kill -TERM $$']
  expect(await run(killed)).toMatchObject({ good: false, reason: 'killed by SIGTERM, expected 0' })
  expect(await run(killed, { expect: { exitCode: 'any' } })).toMatchObject({ good: true })
})

test('the output decides', async () => {
  const argv = ['printf', '42\n']
  expect(await run(argv, { expect: { value: { op: '<=', number: 42 } } })).toMatchObject({ good: true, value: 42 })
  expect(await run(argv, { expect: { value: { op: '<', number: 42 } } })).toMatchObject({
    good: false,
    reason: 'value 42, expected < 42',
  })
  expect(await run(argv, { expect: { stdoutMatches: '43' } })).toMatchObject({
    good: false,
    reason: 'stdout does not match "43"',
  })
  expect(await run(['echo', '{"lag": 5}'], { expect: { jsonPath: { path: '$.lag' } } })).toMatchObject({ value: 5 })
})

test('environment and folder are given', async () => {
  const spec = { env: { WHO: 'ann' }, workingDirectory: '/' }
  expect(await run(['sh', '-c', 'echo $WHO in $PWD'], spec)).toMatchObject({ observed: { stdout: 'ann in /\n' } })
})

test('a program that is given up is killed with all that it has started', async () => {
  // No other program of this machine sleeps for just so long.
  const seconds = randomInt(10_000, 100_000)
  const argv = ['sh', '-c', `sleep ${seconds} & sleep ${seconds} & wait`]
  await using probe = createProbe({ kind: 'process', name: 'program', argv, timeoutMs: 60_000 })
  const giveUp = new AbortController()
  const running = probe.run(giveUp.signal)
  await expect.poll(() => sleepers(seconds).length, WITHIN).toBe(2)
  giveUp.abort()
  expect(await running).toEqual({ good: false, reason: 'given up' })
  await expect.poll(() => sleepers(seconds), WITHIN).toEqual([])
})

test('a program that does not end is a timeout', async () => {
  expect(await run(['sleep', '60'], { timeoutMs: 50 })).toEqual({ good: false, reason: 'timeout' })
})

test('what a program leaves behind is killed when it ends, and holds nothing up', async () => {
  const seconds = randomInt(10_000, 100_000)
  // The sleep has the program's standard output, which would stay open as long.
  expect((await run(['sh', '-c', `sleep ${seconds} &`])).good).toBe(true)
  await expect.poll(() => sleepers(seconds), WITHIN).toEqual([])
})

test('an output without end is cut off', async () => {
  expect(await run(['yes'])).toEqual({ good: false, reason: 'an answer of more than 1048576 bytes' })
})

test('a program that is not there is a failure', async () => {
  expect(await run(['/no/such/program'])).toEqual({ good: false, reason: 'ENOENT' })
})

test.each<[Partial<ProcessProbeSpec>, string]>([
  [{ argv: [] }, 'argv: expected a program and its arguments, got []'],
  [{ expect: { exitCode: [] } }, 'expect.exitCode: expected at least one exit code, got []'],
  [{ expect: { value: { op: '<', number: Number.NaN } } }, 'expect.value.number: expected a number'],
])('%j is refused', (wrong, message) => {
  expect(() => createProbe({ kind: 'process', name: 'program', argv: ['true'], ...wrong })).toThrow(message)
})
