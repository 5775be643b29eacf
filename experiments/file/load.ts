// Reads an experiment file, YAML or JSON, and says of every mistake where it is.
import { ConfigError } from '../../admin/config/config-error.ts'
import type { Environment } from '../../admin/config/interpolation.ts'
import { readText } from '../../admin/config/load.ts'
import { ConfigSource } from '../../admin/config/source.ts'
import type { FaultlineError } from '../../proxy/errors.ts'
import type { Experiment } from './experiment.ts'
import { readExperiment } from './read.ts'
import type { EnvironmentName } from './schema.ts'

export interface LoadExperimentOptions {
  /** What `${NAME}` stands for. Default: the environment of this process. */
  readonly environment?: Environment
  /** Where it is to run, if the file does not say. One that says something else is refused. */
  readonly runIn?: EnvironmentName | undefined
}

/** An experiment, and where its file says what: mistakes that only its target can tell are in it, too. */
export class ExperimentFile {
  readonly experiment: Experiment
  readonly #source: ConfigSource

  private constructor(experiment: Experiment, source: ConfigSource) {
    this.experiment = experiment
    this.#source = source
  }

  /** @throws FaultlineError if the file can't be read; ConfigError */
  static async load(path: string, options: LoadExperimentOptions = {}): Promise<ExperimentFile> {
    return ExperimentFile.parse(path, await readText(path), options)
  }

  /** @param path for messages @throws ConfigError */
  static async parse(
    path: string,
    text: string,
    { environment = process.env, runIn }: LoadExperimentOptions = {},
  ): Promise<ExperimentFile> {
    const source = new ConfigSource(path, text, environment)
    const { experiment, errors } = await readExperiment(source.value, runIn)
    const problems = [...source.problems, ...source.locate(errors)]
    if (!experiment || problems.length > 0) throw new ConfigError(problems)
    return new ExperimentFile(experiment, source)
  }

  /** The same in another form, e.g. scaled in time: what is wrong with it is wrong in this file. */
  with(experiment: Experiment): ExperimentFile {
    return new ExperimentFile(experiment, this.#source)
  }

  /**
   * Mistakes that came out later, e.g. proxies that the target does not have, with their lines and columns.
   *
   * @param errors of a RefusedError or a RunResult, at least one
   */
  locate(errors: readonly FaultlineError[]): ConfigError {
    return new ConfigError(this.#source.locate(errors))
  }
}

/**
 * Reads and checks an experiment file: all that can be known without its target.
 *
 * @example
 * const experiment = await loadExperiment('checkout.yaml', { environment: { TARGET: 'http://localhost:8080' } })
 * @throws ConfigError with every mistake and its line and column; FaultlineError if the file can't be read
 */
export async function loadExperiment(path: string, options: LoadExperimentOptions = {}): Promise<Experiment> {
  return (await ExperimentFile.load(path, options)).experiment
}

/** The same of a text. @param path for messages @throws ConfigError */
export async function parseExperiment(
  path: string,
  text: string,
  options: LoadExperimentOptions = {},
): Promise<Experiment> {
  return (await ExperimentFile.parse(path, text, options)).experiment
}
