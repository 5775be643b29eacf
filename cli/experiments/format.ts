// Which kind of experiment a file has: Faultline's own, or Chaos Toolkit's.
import { isFaultlineError } from '../../proxy/errors.ts'
import { CommandError } from '../errors.ts'
import { exitCodes } from './ending.ts'

export const experimentFormats = ['faultline', 'chaostoolkit'] as const

export type ExperimentFormat = (typeof experimentFormats)[number]

export interface ExperimentText {
  readonly path: string
  readonly text: string
  readonly format: ExperimentFormat
}

/**
 * Reads a file and recognises its kind, unless that was said: Chaos Toolkit's has a `method`, ours has `phases`.
 *
 * @throws CommandError if it can't be read
 */
export async function readExperimentText(path: string, said: ExperimentFormat | undefined): Promise<ExperimentText> {
  const { readText } = await import('../../admin/config/load.ts')
  try {
    const text = await readText(path)
    return { path, text, format: said ?? (await recognise(path, text)) }
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    throw new CommandError(error.message, { exitCode: exitCodes.error, cause: error })
  }
}

async function recognise(path: string, text: string): Promise<ExperimentFormat> {
  return isChaosToolkit(await fieldsOf(path, text)) ? 'chaostoolkit' : 'faultline'
}

/**
 * What a file is that may be anything a command takes. One that can't be read at all counts as a configuration.
 *
 * @param path for messages
 */
export async function recogniseFile(path: string, text: string): Promise<ExperimentFormat | 'configuration'> {
  try {
    const fields = await fieldsOf(path, text)
    if (isChaosToolkit(fields)) return 'chaostoolkit'
    return EXPERIMENT_FIELDS.some((name) => fields.has(name)) ? 'faultline' : 'configuration'
  } catch (error) {
    if (isFaultlineError(error)) return 'configuration'
    throw error
  }
}

/** Of which every experiment of ours has some, and no configuration has any. */
const EXPERIMENT_FIELDS = ['phases', 'steadyState', 'scenario', 'title', 'slo', 'safety']

function isChaosToolkit(fields: ReadonlySet<string>): boolean {
  return !fields.has('phases') && (fields.has('method') || fields.has('steady-state-hypothesis'))
}

/** The names of the fields at the top, in which there are no variables. @throws ConfigError if it can't be read */
async function fieldsOf(path: string, text: string): Promise<ReadonlySet<string>> {
  const value = tryJson(text) ?? new (await import('../../admin/config/source.ts')).ConfigSource(path, text, {}).value
  return new Set(typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [])
}

/** Takes a hundredth of the time, and configurations may be large. */
function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // YAML, or it will say what is wrong
  }
}
