// Reads a Chaos Toolkit experiment (the format of its library 1.45) and finds all that is wrong with it.
import { readFile, stat } from 'node:fs/promises'
import { Type } from '@sinclair/typebox'
import { ConfigError } from '../../admin/config/config-error.ts'
import type { Environment } from '../../admin/config/interpolation.ts'
import { isObject, Mistakes, withoutNulls } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { hypothesisStrategies, rollbackStrategies, type ChaosExperiment } from './document.ts'
import { ActivityReader } from './read-activities.ts'
import { refuseControls } from './refuse-controls.ts'
import { readSettings } from './settings.ts'
import { ExperimentSource } from './source.ts'
import { isIgnored } from './unknown-fields.ts'

export interface ReadOptions {
  /** Where values of type `env` come from. Default: the environment of this process. */
  readonly environment?: Environment
  /** In place of what the file's `configuration` says, and beside it. */
  readonly variables?: Readonly<Record<string, unknown>>
  /** A text as arguments of a process is for a shell. Default false: it is split without one, and refused if that can't do. */
  readonly allowShell?: boolean
  /** The file's name, for messages. Default `experiment`. */
  readonly file?: string
}

const MAX_FILE_BYTES = 1024 * 1024

const free = { additionalProperties: true }
const object = Type.Optional(Type.Object({}, free))
const list = Type.Optional(Type.Array(Type.Unknown()))

const schema = Type.Object({
  title: Type.String({ minLength: 1 }),
  description: Type.String({ minLength: 1 }),
  version: Type.Optional(Type.Unknown()),
  tags: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { expected: 'a list of texts' })),
  contributions: object,
  extensions: Type.Optional(Type.Unknown()),
  configuration: object,
  secrets: object,
  controls: Type.Optional(Type.Unknown()),
  'steady-state-hypothesis': object,
  method: Type.Array(Type.Unknown()),
  rollbacks: list,
  runtime: object,
})

const runtimeSchema = Type.Object({
  rollbacks: Type.Optional(
    Type.Object({ strategy: Type.Optional(Type.Union(rollbackStrategies.map((name) => Type.Literal(name)))) }, free),
  ),
  hypothesis: Type.Optional(
    Type.Object({ strategy: Type.Optional(Type.Union(hypothesisStrategies.map((name) => Type.Literal(name)))) }, free),
  ),
})

/**
 * Reads an experiment of a file.
 *
 * @throws ConfigError with every mistake and its line and column; FaultlineError if the file can't be read
 */
export async function readChaosToolkitFile(path: string, options: ReadOptions = {}): Promise<ChaosExperiment> {
  return readChaosToolkit(await readText(path), { file: path, ...options })
}

/**
 * Reads an experiment: YAML, or JSON, which is YAML, too. Nothing is touched but the environment and the paths of
 * programs, which have to be there.
 *
 * @example
 * const experiment = readChaosToolkit(await readFile('experiment.json', 'utf8'), { file: 'experiment.json' })
 * const journal = await runChaosToolkit(experiment, { target: new V1Client() })
 * process.exitCode = exitCodeOf(journal)
 * @throws ConfigError with every mistake and its line and column
 */
export function readChaosToolkit(text: string, options: ReadOptions = {}): ChaosExperiment {
  const { environment = process.env, variables = {}, allowShell = false, file = 'experiment' } = options
  const source = new ExperimentSource(file, text)
  const mistakes = new Mistakes()
  const document = mistakes.object(schema, source.value, '')
  const values = readSettings(mistakes, document['configuration'], document['secrets'], { environment, variables })
  refuseControls(mistakes, document['controls'], 'controls')
  const reader = new ActivityReader(mistakes, document, { values, environment: process.env, allowShell })
  const hypothesis = reader.hypothesis()
  const method = reader.activities('method')
  const rollbacks = reader.activities('rollbacks')
  const runtime = readRuntime(mistakes, document['runtime'])
  const ignored = mistakes.errors.filter(isIgnored)
  const wrong = mistakes.errors.filter((error) => !isIgnored(error))
  const problems = [...source.problems, ...source.locate(wrong)]
  if (problems.length > 0) throw new ConfigError(problems)
  const title = String(values.substitute(document['title']))
  const warnings = [...source.locate(ignored).map(describeIgnored), ...reader.warnings]
  return { file, document, title, hypothesis, method, rollbacks, runtime, values, warnings }
}

function describeIgnored({ line, message }: { readonly line: number; readonly message: string }): string {
  return `line ${line}: ${message.replace(/, expected [^]*$/, '')}; it is ignored`
}

function readRuntime(mistakes: Mistakes, given: unknown): ChaosExperiment['runtime'] {
  if (!isObject(given)) return {}
  const strategies = {
    hypothesis: strategyOf(given['hypothesis']),
    rollbacks: strategyOf(given['rollbacks']),
  }
  // Found by those who wrote the original, too.
  if (strategies.hypothesis === 'continously') strategies.hypothesis = 'continuously'
  const checked = {
    ...withoutNulls(given),
    ...(strategies.hypothesis !== undefined && { hypothesis: { strategy: strategies.hypothesis } }),
  }
  mistakes.fields(runtimeSchema, checked, 'runtime')
  return Object.fromEntries(Object.entries(strategies).filter(([, strategy]) => strategy !== undefined))
}

function strategyOf(given: unknown): unknown {
  return isObject(given) ? given['strategy'] : undefined
}

async function readText(path: string): Promise<string> {
  const unreadable = (expected: string, cause?: unknown): FaultlineError =>
    new FaultlineError('invalid_value', `${path}: expected ${expected}`, { field: 'file', expected, cause })
  try {
    const { size } = await stat(path)
    if (size > MAX_FILE_BYTES) throw unreadable(`a file of at most ${MAX_FILE_BYTES} bytes, got ${size}`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof FaultlineError) throw error
    throw unreadable(`a readable file, ${error instanceof Error ? error.message : String(error)}`, error)
  }
}
