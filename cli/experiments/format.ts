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
  const { ConfigSource } = await import('../../admin/config/source.ts')
  // Only the names of fields count, which no variable is in.
  const { value } = new ConfigSource(path, text, {})
  if (typeof value !== 'object' || value === null || 'phases' in value) return 'faultline'
  return 'method' in value || 'steady-state-hypothesis' in value ? 'chaostoolkit' : 'faultline'
}
