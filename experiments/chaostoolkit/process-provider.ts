// Provider `process`: runs a program and hands back its exit code and output (chaoslib/provider/process.py). Any exit
// code is an answer, and none a failure.
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { accessSync, constants as access, statSync } from 'node:fs'
import { constants, homedir } from 'node:os'
import { delimiter, join, sep } from 'node:path'
import { Type } from '@sinclair/typebox'
import { isObject, type Fields } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { AnswerTooLarge, describeFailure } from '../probes/failure.ts'
import { MAX_ANSWER_BYTES } from '../probes/index.ts'
import { invalidField } from '../probes/invalid.ts'
import { hasGroups, killGroup } from '../../resource-stressors/machine/process-group.ts'
import { ActivityFailed } from './activity-failed.ts'
import { NeedsShell, splitWords } from './shell-words.ts'
import { asPythonText } from './values.ts'

export const processSchema = Type.Object({
  type: Type.Literal('process'),
  path: Type.String({ minLength: 1 }),
  arguments: Type.Optional(
    Type.Union([Type.String(), Type.Array(Type.Unknown()), Type.Object({}, { additionalProperties: true })], {
      expected: 'a list, an object or a text',
    }),
  ),
  timeout: Type.Optional(Type.Number({ exclusiveMinimum: 0, expected: 'a number of seconds above 0' })),
  secrets: Type.Optional(Type.Unknown()),
})

export interface ProcessCall {
  readonly program: string
  /** A text is for a shell. */
  readonly arguments: readonly string[] | string
  readonly timeoutMs: number | undefined
}

export interface ProcessOutput {
  /** The exit code; of a program that a signal has ended, the signal's number with a minus. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

type ProcessEnvironment = Readonly<Record<string, string | undefined>>

/**
 * @param provider with its values filled in, and of {@link processSchema}
 * @param allowShell a text as arguments is for a shell; otherwise it is split as one would, and may ask nothing else of it
 * @throws FaultlineError naming the field
 */
export function prepareProcess(
  provider: Fields,
  allowShell: 'shell' | 'no-shell',
  environment: ProcessEnvironment,
): ProcessCall {
  const program = findProgram(String(provider['path']), environment)
  const given = provider['arguments']
  const timeout = provider['timeout'] as number | undefined
  const timeoutMs = timeout === undefined ? undefined : timeout * 1000
  if (typeof given !== 'string') return { program, arguments: listArguments(given), timeoutMs }
  if (allowShell === 'shell') return { program, arguments: given, timeoutMs }
  try {
    return { program, arguments: splitWords(given), timeoutMs }
  } catch (error) {
    if (!(error instanceof NeedsShell)) throw error
    const expected = `a list, or a text without ${error.syntax}, which needs a shell and so has to be allowed`
    // What came is not shown: there may be secrets in it.
    throw new FaultlineError('invalid_value', `arguments: expected ${expected}`, { field: 'arguments', expected })
  }
}

/** Of an object names and values in turn, so that `{"--wait": ""}` is a flag. */
function listArguments(given: unknown): string[] {
  const list = Array.isArray(given) ? given : Object.entries(isObject(given) ? given : {}).flat()
  return list.filter((item) => item !== null && item !== '').map(asPythonText)
}

/** As Python's shutil.which finds it. @throws FaultlineError `invalid_value` naming `path` */
function findProgram(path: string, { PATH = '' }: ProcessEnvironment): string {
  const expanded = path === '~' || path.startsWith('~/') ? join(homedir(), path.slice(1)) : path
  const places = expanded.includes(sep) ? [expanded] : PATH.split(delimiter).map((folder) => join(folder, expanded))
  const program = places.find(isExecutable)
  if (program !== undefined) return program
  throw invalidField('path', 'a program that there is, and that may be run', path)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, access.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}

/**
 * Resolves when the program has ended and its output is closed: what it has started in the background goes on if it has
 * let go of that.
 *
 * @param signal kills it and all that it has started
 * @throws ActivityFailed
 */
export async function runProcess(
  call: ProcessCall,
  environment: ProcessEnvironment,
  signal: AbortSignal,
): Promise<ProcessOutput> {
  if (signal.aborted) throw new ActivityFailed('interrupted')
  const child = start(call, environment)
  let why: string | undefined
  const end = (reason: string): void => {
    why ??= reason
    killGroup(child)
    // What has left the group may hold the output open for ever.
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
  const interrupt = (): void => end('interrupted')
  signal.addEventListener('abort', interrupt)
  const timer =
    call.timeoutMs === undefined
      ? undefined
      : setTimeout(end, call.timeoutMs, 'process activity took too long to complete')
  try {
    const output = await finish(child, () => end(new AnswerTooLarge().message))
    if (why !== undefined) throw new ActivityFailed(why)
    return output
  } catch (error) {
    throw error instanceof ActivityFailed ? error : new ActivityFailed(describeFailure(error), error)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', interrupt)
  }
}

/** @throws ActivityFailed if the arguments can't be passed on */
function start({ program, arguments: given }: ProcessCall, environment: ProcessEnvironment): ChildProcess {
  const options = {
    env: { ...environment },
    detached: hasGroups,
    windowsHide: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  } satisfies SpawnOptions
  try {
    if (typeof given !== 'string') return spawn(program, given, options)
    return spawn(`${quote(program)} ${given}`, { ...options, shell: true })
  } catch (error) {
    throw new ActivityFailed(describeFailure(error), error)
  }
}

async function finish(child: ChildProcess, tooLarge: () => void): Promise<ProcessOutput> {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let bytes = 0
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_ANSWER_BYTES) tooLarge()
      else output[name].push(chunk)
    })
  }
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exitCode, killedBy) => resolve([exitCode, killedBy]))
  })
  const status = code ?? -(signal === null ? 0 : constants.signals[signal])
  return { status, stdout: Buffer.concat(output.stdout).toString(), stderr: Buffer.concat(output.stderr).toString() }
}

function quote(program: string): string {
  return `'${program.replaceAll("'", `'\\''`)}'`
}
