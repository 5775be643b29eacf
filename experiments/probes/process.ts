// Runs a program, without a shell, and looks at its exit code and its output.
import { spawn, type ChildProcess } from 'node:child_process'
import type { Clock } from '../../proxy/clock.ts'
import type { Pattern } from '../../proxy/pattern.ts'
import { hasGroups, killGroup } from '../../resource-stressors/machine/process-group.ts'
import { BoundedProbe } from './bounded-probe.ts'
import { compileText, type Comparison, type JsonPathExpectation } from './expectations.ts'
import { AnswerTooLarge } from './failure.ts'
import { invalidField } from './invalid.ts'
import { MAX_ANSWER_BYTES, type Observed, type Probe, type ProbeSettings } from './probe.ts'

export interface ProcessExpectation {
  /** Default: 0 alone. `any` also takes an end by a signal. */
  readonly exitCode?: readonly number[] | 'any'
  /** A plain text may be anywhere in the standard output; `/…/` is a regular expression of RE2's syntax. */
  readonly stdoutMatches?: Pattern
  readonly jsonPath?: JsonPathExpectation | readonly JsonPathExpectation[]
  /** The standard output is a number, and nothing else but blanks. */
  readonly value?: Comparison
}

export interface ProcessProbeSpec extends ProbeSettings {
  readonly kind: 'process'
  /** The program and its arguments, each as it is: nothing is split or expanded. */
  readonly argv: readonly string[]
  /** Beside this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
  /** Default: this process's working directory. */
  readonly workingDirectory?: string
  readonly expect?: ProcessExpectation
}

type ProcessAnswer = Extract<Observed, { kind: 'process' }>

/**
 * What the program has started is killed with it, also if the program ends by itself.
 *
 * @throws FaultlineError `invalid_value` naming the field
 */
export function createProcessProbe(spec: ProcessProbeSpec, clock: Clock): Probe {
  const [program = '', ...flags] = spec.argv
  if (program === '') throw invalidField('argv', 'a program and its arguments', spec.argv)
  const { exitCode = [0], stdoutMatches, ...rest } = spec.expect ?? {}
  if (exitCode.length === 0) throw invalidField('expect.exitCode', 'at least one exit code', exitCode)
  const matches = stdoutMatches === undefined ? {} : { matches: stdoutMatches }
  const check = compileText({ ...matches, ...rest }, 'stdout', 'expect')
  return new BoundedProbe(spec, clock, {
    async look(signal) {
      const child = spawn(program, flags, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...spec.env },
        cwd: spec.workingDirectory,
        detached: hasGroups,
        windowsHide: true,
      })
      const kill = (): void => killGroup(child)
      signal.addEventListener('abort', kill)
      if (signal.aborted) kill()
      try {
        const observed = await finish(child)
        if (signal.aborted) throw new Error('killed')
        const wrongEnd = describeEnd(observed, exitCode)
        const found = check(observed.stdout)
        const reason = wrongEnd ?? found.reason
        return { ...found, good: reason === undefined, ...(reason !== undefined && { reason }), observed }
      } finally {
        signal.removeEventListener('abort', kill)
      }
    },
    close: async () => undefined,
  })
}

async function finish(child: ChildProcess): Promise<ProcessAnswer> {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let bytes = 0
  let tooLarge = false
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      tooLarge ||= bytes > MAX_ANSWER_BYTES
      if (tooLarge) killGroup(child)
      else output[name].push(chunk)
    })
  }
  // What it has left behind may hold its output open, and would never let go.
  child.once('exit', () => killGroup(child))
  const [exitCode, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve([code, signal]))
  })
  if (tooLarge) throw new AnswerTooLarge()
  return { kind: 'process', exitCode, signal, stdout: toText(output.stdout), stderr: toText(output.stderr) }
}

function toText(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString()
}

function describeEnd({ exitCode, signal }: ProcessAnswer, expected: readonly number[] | 'any'): string | undefined {
  if (expected === 'any') return undefined
  const end = exitCode === null ? `killed by ${signal}` : `exit code ${exitCode}`
  return exitCode !== null && expected.includes(exitCode) ? undefined : `${end}, expected ${expected.join(' or ')}`
}
