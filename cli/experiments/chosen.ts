// What `faultline run` is to run: a file, a scenario of the library, or a suite of them, with its parameters.
import type { ExperimentFile } from '../../experiments/file/load.ts'
import type { EnvironmentName } from '../../experiments/file/schema.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { CommandError, UsageError } from '../errors.ts'
import type { Reader } from '../flags.ts'
import { exitCodes } from './ending.ts'
import type { ExperimentText } from './format.ts'

export interface Choice {
  /** As it was typed. */
  readonly path: string | undefined
  /** What is there; undefined if there is more to choose from than a file. */
  readonly file: ExperimentText | undefined
  readonly scenario: string | undefined
  readonly suite: string | undefined
  /** By the names of parameters, and of variables of a file. */
  readonly values: Readonly<Record<string, string>>
  readonly runIn: EnvironmentName | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/** One of what is to be run. */
export interface Chosen {
  /** Of the scenario; undefined for a file of its own. */
  readonly name: string | undefined
  readonly file: ExperimentFile
}

export const assignment: Reader<readonly [name: string, value: string]> = {
  placeholder: 'NAME=VALUE',
  expected: 'NAME=VALUE',
  read: (given) => {
    const [, name, value] = /^([A-Za-z_]\w*)=([^]*)$/.exec(given) ?? []
    return name === undefined || value === undefined ? undefined : [name, value]
  },
}

export const webhook: Reader<string> = {
  placeholder: 'URL',
  expected: 'a URL that begins with http:// or https://',
  read: (given) => (/^https?:\/\//i.test(given) && URL.canParse(given) ? given : undefined),
}

/**
 * Checks all of it before anything runs.
 *
 * @throws UsageError if what was typed is wrong; CommandError if a file is
 */
export async function choose(choice: Choice): Promise<readonly Chosen[]> {
  const { path, file, scenario, suite } = choice
  if ([path, scenario, suite].filter((given) => given !== undefined).length !== 1) {
    throw new UsageError('expected FILE, --scenario or --suite, and no two of them')
  }
  try {
    return file === undefined ? await fromLibrary(choice) : [await fromFile(file, choice)]
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    throw 'problems' in error ? notCarriedOut(error) : wrongParameter(error)
  }
}

/** A parameter is what was typed. */
export function wrongParameter(error: Error): UsageError {
  return new UsageError(error.message.replace(/^parameters\./, ''), { cause: error })
}

function notCarriedOut(error: Error): CommandError {
  return new CommandError(error.message, { exitCode: exitCodes.error, cause: error })
}

async function fromLibrary({ scenario, suite, values, runIn }: Choice): Promise<readonly Chosen[]> {
  const { findScenario, findSuite, valuesFor } = await import('../../experiments/scenarios/index.ts')
  const names = suite === undefined ? [scenario ?? ''] : findSuite(suite).scenarios
  const chosen: Chosen[] = []
  for (const name of names) {
    const found = findScenario(name)
    // In a suite, each takes what it has a parameter for.
    const given = suite === undefined ? values : valuesFor(found, values)
    chosen.push({ name, file: await found.prepare(given, runIn) })
  }
  if (suite !== undefined) await refuseUnused(names, values)
  return chosen
}

async function refuseUnused(names: readonly string[], values: Choice['values']): Promise<void> {
  const { findScenario } = await import('../../experiments/scenarios/index.ts')
  const known = new Set(names.flatMap((name) => Object.keys(findScenario(name).parameters)))
  const unused = Object.keys(values).find((name) => !known.has(name))
  if (unused === undefined) return
  throw new UsageError(`${unused}: unknown parameter, expected one of ${[...known].join(', ')}`)
}

/** @throws ConfigError if it is wrong; FaultlineError naming a parameter */
export async function fromFile(
  { path, text }: ExperimentText,
  { values, runIn, env }: Pick<Choice, 'values' | 'runIn' | 'env'>,
): Promise<Chosen> {
  const [{ ExperimentFile }, { Scenario }] = await Promise.all([
    import('../../experiments/file/load.ts'),
    import('../../experiments/scenarios/index.ts'),
  ])
  if (Scenario.isScenario(path, text)) {
    const scenario = Scenario.parse(path, text)
    return { name: scenario.name, file: await scenario.prepare(values, runIn) }
  }
  return {
    name: undefined,
    file: await ExperimentFile.parse(path, text, { environment: { ...env, ...values }, runIn }),
  }
}
