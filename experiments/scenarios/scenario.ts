// A scenario: an experiment file with parameters. Those of the library and those that people write have the same form.
import type { Static } from '@sinclair/typebox'
import { stringify } from 'yaml'
import { ConfigError } from '../../admin/config/config-error.ts'
import { readText } from '../../admin/config/load.ts'
import { isObject, Mistakes, type Fields } from '../../admin/config/mistakes.ts'
import { ConfigSource } from '../../admin/config/source.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { deepCheck } from '../file/deep-check.ts'
import { ExperimentFile } from '../file/load.ts'
import { scenarioSchema } from '../file/scenario-schema.ts'
import type { EnvironmentName } from '../file/schema.ts'
import { resolveParameters, type Parameter, type ParameterValues } from './parameters.ts'

type Head = Static<typeof scenarioSchema>

/** What an experiment file says, as plain values. */
export type ScenarioDocument = Fields & {
  readonly scenario: Head
  readonly title: string
  readonly description: string
}

export class Scenario {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly category: Head['category']
  readonly complexity: Head['complexity']
  readonly severity: Head['severity']
  readonly parameters: Readonly<Record<string, Parameter>>
  /** Where it is from, for messages. */
  readonly file: string
  /** As an experiment file. */
  readonly text: string

  private constructor(file: string, text: string, { title, description, scenario }: ScenarioDocument) {
    this.file = file
    this.text = text
    this.title = title
    this.description = description
    this.name = scenario.name
    this.category = scenario.category
    this.complexity = scenario.complexity
    this.severity = scenario.severity
    this.parameters = scenario.parameters ?? {}
  }

  /** One of the library. */
  static fromDocument(document: ScenarioDocument): Scenario {
    return new Scenario(`${document.scenario.name}.yaml`, stringify(document, { lineWidth: 0 }), document)
  }

  /** @throws FaultlineError if the file can't be read; ConfigError if it is no scenario */
  static async load(path: string): Promise<Scenario> {
    return Scenario.parse(path, await readText(path))
  }

  /** Whether a text is one, or an experiment without parameters. @throws ConfigError if it can't be read at all */
  static isScenario(path: string, text: string): boolean {
    const { value } = new ConfigSource(path, text, {})
    return isObject(value) && value['scenario'] !== undefined
  }

  /** What it is called, and its parameters. The rest is checked when these have values. @throws ConfigError */
  static parse(path: string, text: string): Scenario {
    const source = new ConfigSource(path, text, {})
    const mistakes = new Mistakes()
    const { title, description = '', scenario } = (source.value ?? {}) as Partial<ScenarioDocument>
    if (scenario === undefined) {
      const expected = 'a section scenario with the name of the scenario'
      const details = { field: 'scenario', expected }
      mistakes.errors.push(new FaultlineError('missing_field', `scenario: missing, expected ${expected}`, details))
    } else deepCheck(mistakes, scenarioSchema, scenario, 'scenario')
    if (scenario === undefined || mistakes.errors.length > 0) throw new ConfigError(source.locate(mistakes.errors))
    return new Scenario(path, text, { title: title ?? scenario.name, description, scenario })
  }

  /**
   * The experiment that it is with these parameters.
   *
   * @example
   * const { experiment } = await findScenario('light-network-latency').prepare({ TARGET: url, PROXY: 'payments' })
   * @param runIn where it is to run, if the scenario does not say
   * @throws FaultlineError naming the parameter that is wrong; ConfigError
   */
  async prepare(given: ParameterValues = {}, runIn?: EnvironmentName): Promise<ExperimentFile> {
    return ExperimentFile.parse(this.file, this.text, { environment: resolveParameters(this.parameters, given), runIn })
  }
}
