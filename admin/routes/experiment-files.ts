// From what a client sends to an experiment that may run here: nothing of the server's environment gets into it, and it
// starts no programs unless the server was told to let it.
import type { Experiment, ExperimentFile } from '../../experiments/index.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { scaleTime } from '../../experiments/runner/time-scale.ts'
import { describeValue, validate } from '../../proxy/validate.ts'
import { experimentSpecSchema, type ExperimentSpec } from './experiment-views.ts'

/** Stands for the file in messages. */
const FILE = 'experiment'

/** What experiments that come over the API may have the server do beside what they are for. Default: nothing. */
export interface ExperimentPermissions {
  /** Start programs on this machine, as probes do. */
  readonly experimentPrograms?: boolean
  /** Tell webhooks how they go. */
  readonly experimentWebhooks?: boolean
}

/** @throws FaultlineError naming the field of the body; ConfigError with lines and columns of the file */
export async function readExperiment(
  body: unknown,
  { experimentPrograms = false, experimentWebhooks = false }: ExperimentPermissions,
): Promise<ExperimentFile> {
  const spec = validate(experimentSpecSchema, body)
  const file = scaled(await parse(spec), spec)
  const programs = experimentPrograms ? [] : programsOf(file.experiment)
  const webhooks = experimentWebhooks ? [] : file.experiment.notify.map((_webhook, index) => `notify.${index}`)
  const errors = [...programs.map(noProgram), ...webhooks.map(noWebhook)]
  if (errors.length > 0) throw file.locate(errors)
  return file
}

async function parse({ file: text, scenario, parameters = {}, environment: runIn }: ExperimentSpec) {
  const { findScenario, Scenario } = await import('../../experiments/scenarios/index.ts')
  if (text === undefined) {
    if (scenario === undefined) throw wrong('missing_field', 'file', 'the text of an experiment file, or a scenario')
    return findScenario(scenario).prepare(parameters, runIn)
  }
  if (scenario !== undefined) throw wrong('invalid_value', 'scenario', 'none beside a file', scenario)
  if (Scenario.isScenario(FILE, text)) return Scenario.parse(FILE, text).prepare(parameters, runIn)
  const { ExperimentFile: File } = await import('../../experiments/file/load.ts')
  return File.parse(FILE, text, { environment: parameters, runIn })
}

function scaled(file: ExperimentFile, { scaleTime: factor = 1 }: ExperimentSpec): ExperimentFile {
  return factor === 1 ? file : file.with(scaleTime(file.experiment, factor))
}

/** Fields that have the server start a program. */
function programsOf({ steadyStates, stress, failure }: Experiment): string[] {
  const probes = steadyStates.map(({ probe }, index) => ({ probe, path: `steadyState.${index}` }))
  const loads = [...(stress ? [stress.step] : []), ...failure.steps].flatMap(({ path, action }) => {
    if (action.kind !== 'load') return []
    return [{ probe: action.probe, path: path.endsWith('.load') ? path : `${path}.load` }]
  })
  return [...probes, ...loads].filter(({ probe }) => probe.kind === 'process').map(({ path }) => `${path}.process`)
}

function noProgram(field: string): FaultlineError {
  const expected =
    'a probe that starts no program, as this server lets none be started over its API (--experiment-programs does)'
  return new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}

function noWebhook(field: string): FaultlineError {
  const expected =
    'nobody to be told, as this server tells no webhooks of experiments that come over its API (--experiment-webhooks does)'
  return new FaultlineError('invalid_value', `${field}: expected ${expected}`, { field, expected })
}

function wrong(
  code: 'missing_field' | 'invalid_value',
  field: string,
  expected: string,
  value?: unknown,
): FaultlineError {
  const got = value === undefined ? 'missing, ' : ''
  const message = `${field}: ${got}expected ${expected}${value === undefined ? '' : `, got ${describeValue(value)}`}`
  return new FaultlineError(code, message, { field, expected })
}
