// `faultline validate` on an experiment: all that can be known of it without its target.
import type { Experiment } from '../../experiments/file/experiment.ts'
import type { EnvironmentName } from '../../experiments/file/schema.ts'
import { plural } from '../../experiments/results/figures.ts'
import { fromFile } from './chosen.ts'
import type { ExperimentText } from './format.ts'

/** What a file that is right comes to. */
export interface CheckedExperiment {
  readonly title: string
  /** What is in it, in a few words. */
  readonly summary: string
  /** What is ignored, and what may not do what was meant. */
  readonly warnings: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

export interface OwnOptions {
  /** Variables of the file, or parameters of the scenario that it is. */
  readonly values: Readonly<Record<string, string>>
  readonly runIn: EnvironmentName | undefined
  readonly env: Environment
}

/** @throws ConfigError if it is wrong; FaultlineError naming a parameter */
export async function checkExperiment(file: ExperimentText, options: OwnOptions): Promise<CheckedExperiment> {
  const { experiment } = (await fromFile(file, options)).file
  return { title: experiment.title, summary: await summarize(experiment), warnings: [] }
}

async function summarize(experiment: Experiment): Promise<string> {
  const { longestOf } = await import('../../experiments/file/longest.ts')
  const { formatDuration } = await import('../../experiments/file/units.ts')
  const { steadyStates, failure } = experiment
  const parts = [
    plural(steadyStates.length, 'steady state'),
    plural(failure.steps.length, 'step'),
    `${formatDuration(longestOf(experiment))} at most`,
  ]
  return `an experiment, ${parts.join(', ')}`
}

export interface ChaosToolkitOptions {
  readonly variables: Readonly<Record<string, string | number>>
  readonly allowShell: boolean
  readonly env: Environment
}

/** @throws ConfigError if it is wrong */
export async function checkChaosToolkit(
  { path, text }: ExperimentText,
  { variables, allowShell, env }: ChaosToolkitOptions,
): Promise<CheckedExperiment> {
  const { readChaosToolkit } = await import('../../experiments/chaostoolkit/index.ts')
  const experiment = readChaosToolkit(text, { file: path, environment: env, variables, allowShell })
  const { title, hypothesis, method, rollbacks, warnings } = experiment
  const parts = [
    plural(hypothesis?.probes.length ?? 0, 'probe'),
    plural(method.length, 'activity', 'activities'),
    plural(rollbacks.length, 'rollback'),
  ]
  return { title, summary: `an experiment of Chaos Toolkit, ${parts.join(', ')}`, warnings }
}
