// Reads an experiment: checks all that its file says, and all that can be known before it runs.
import { isObject } from '../../admin/config/mistakes.ts'
import type { FaultlineError } from '../../proxy/errors.ts'
import { stressors } from '../../resource-stressors/index.ts'
import { faultTypes } from '../../proxy/index.ts'
import { nearest } from '../../proxy/nearest.ts'
import { joinPath } from '../../proxy/validate.ts'
import type { PhaseName } from '../model.ts'
import { readAsking } from './asking.ts'
import { deepCheck, withoutNullFields } from './deep-check.ts'
import {
  abortFigures,
  type AbortCondition,
  type AbortFigure,
  type Experiment,
  type SafetyLimits,
  type Slo,
  type SteadyState,
  type Validation,
  type Webhook,
} from './experiment.ts'
import { parseUrl } from '../probes/http.ts'
import { readLoad } from './loads.ts'
import { longestOf } from './longest.ts'
import { readMetrics } from './metrics.ts'
import { steadyStateSchema } from './probe-schema.ts'
import { Reading } from './reading.ts'
import { askedPhases, experimentSchema, type EnvironmentName, type ValidationStepName } from './schema.ts'
import { nameOfAction } from './actions.ts'
import { severityOf } from './severity.ts'
import {
  DEFAULT_BLAST_RADIUS,
  DEFAULT_KEEP_FOR_MS,
  DEFAULT_MAX_DURATION_MS,
  DEFAULT_NOTIFICATIONS,
  usualSeverity,
  usualSlo,
} from './thresholds.ts'
import { readTimeline } from './timeline.ts'
import { formatDuration, readComparison, readShare } from './units.ts'
import type {
  AbortFields,
  ExperimentFields,
  PhasesFields,
  SafetyFields,
  SloFields,
  SteadyStateFields,
  WebhookFields,
} from './fields.ts'

/** What was found: an experiment, or what is wrong with it. */
export type ReadExperiment =
  | { readonly experiment: Experiment; readonly errors: readonly [] }
  | { readonly experiment: undefined; readonly errors: readonly FaultlineError[] }

/** Fields in which null is a value, and whose insides are of a form of their own. */
const FREE_FIELDS: ReadonlySet<string> = new Set(['attributes', 'match', 'equals', 'values', 'expect'])

/**
 * @param value what a file says, as plain values
 * @param runIn where it is to run, if the file does not say: a file's own word stands, guards and all
 */
export async function readExperiment(value: unknown, runIn?: EnvironmentName): Promise<ReadExperiment> {
  const reading = new Reading()
  const experiment = await readWhole(reading, withoutNullFields(value, FREE_FIELDS), runIn)
  const { errors } = reading.mistakes
  if (experiment && errors.length === 0) return { experiment, errors: [] }
  return { experiment: undefined, errors }
}

async function readWhole(
  reading: Reading,
  value: unknown,
  runIn: EnvironmentName | undefined,
): Promise<Experiment | undefined> {
  deepCheck(reading.mistakes, experimentSchema, value, '')
  if (!isObject(value)) return undefined
  // What is wrong by its shape is on record; the rest is looked at all the same, part by part.
  const shape = new Shape(reading.mistakes.errors)
  const { title = '', description = '', seed, ...fields } = value as Partial<ExperimentFields>
  const environment: Experiment['environment'] =
    (shape.isRight('environment') ? fields.environment : undefined) ?? runIn ?? 'default'
  if (runIn !== undefined && environment !== runIn) {
    reading.refuse('environment', `${runIn}, where this is to run`, environment)
  }
  const metrics = shape.isRight('metrics') ? await readMetrics(reading, fields.metrics ?? []) : []
  const names = (fields.metrics ?? []).map(({ name }) => name)
  const safety = shape.isRight('safety') ? readSafety(reading, fields.safety ?? {}, environment, names) : undefined
  const steadyStates = await readSteadyStates(reading, fields.steadyState)
  const slo = shape.isRight('slo') ? readSlo(reading, fields.slo ?? {}, environment) : undefined
  const notify = shape.isRight('notify') ? await readWebhooks(reading, fields.notify ?? []) : []
  const limits = safety ?? { maxDurationMs: Infinity, severity: Infinity }
  const phases = isObject(fields.phases) ? fields.phases : undefined
  const steps = Array.isArray(phases?.failure) && phases.failure.length > 0 ? phases.failure : undefined
  const failure = steps && (await readTimeline(reading, steps, limits, 'phases.failure'))
  if (!phases || !shape.isRight('phases')) return undefined
  const rest = await readPhases(reading, phases, steadyStates)
  if (!failure || !safety || !slo || !rest || !shape.isRight('')) return undefined
  const experiment = {
    title,
    description,
    environment,
    seed,
    steadyStates,
    metrics,
    slo,
    safety,
    notify,
    failure,
    ...rest,
  }
  checkLength(reading, experiment)
  return experiment
}

/** What of the document has the shape that it should. */
class Shape {
  readonly #wrong: readonly string[]

  constructor(errors: readonly FaultlineError[]) {
    this.#wrong = errors.map(({ field = '' }) => field)
  }

  /** @param part a field of the document; empty: all of it */
  isRight(part: string): boolean {
    return !this.#wrong.some((field) => part === '' || field === part || field.startsWith(`${part}.`))
  }
}

// ---- steady states ---------------------------------------------------------------------------------------------------

async function readSteadyStates(reading: Reading, given: unknown): Promise<readonly SteadyState[]> {
  const found: SteadyState[] = []
  const names = new Set<string>()
  for (const [index, fields] of Array.isArray(given) ? given.entries() : []) {
    const path = `steadyState.${index}`
    if (!deepCheck(reading.mistakes, steadyStateSchema, fields, path)) continue
    const state = await readSteadyState(reading, fields as SteadyStateFields, path)
    const { name } = fields as SteadyStateFields
    if (names.has(name)) reading.refuse(`${path}.name`, 'a name that no other steady state has', name)
    names.add(name)
    if (state) found.push(state)
  }
  return found
}

async function readSteadyState(
  reading: Reading,
  fields: SteadyStateFields,
  path: string,
): Promise<SteadyState | undefined> {
  const { name, at = askedPhases } = fields
  const settleMs = reading.duration(fields.settle, `${path}.settle`, 0)
  const asked = await readAsking(reading, fields, name, path)
  if (!asked) return undefined
  const { asking, aggregates } = asked
  const phases = at as readonly PhaseName[]
  if (aggregates.length > 0 && !phases.includes('failure')) {
    const [first] = aggregates
    const expected = `nothing of all attempts together, as it is not asked in the phase failure`
    reading.refuse(`${path}.expect.${first?.name}`, expected, at)
  }
  if (fields.settle !== undefined && aggregates.length === 0) {
    reading.refuse(`${path}.settle`, 'nothing without an expectation such as p95 or errorRate', fields.settle)
  }
  return { name, ...asking, aggregates, phases, settleMs }
}

// ---- phases ----------------------------------------------------------------------------------------------------------

type SimplePhases = Pick<Experiment, 'preparation' | 'baseline' | 'stress' | 'recovery' | 'validation'>

async function readPhases(
  reading: Reading,
  phases: PhasesFields,
  steadyStates: readonly SteadyState[],
): Promise<SimplePhases | undefined> {
  const { preparation = {}, baseline = {}, recovery = {} } = phases
  const stress = phases.stress && (await readStress(reading, phases.stress))
  if (phases.stress && !stress) return undefined
  return {
    preparation: { atMostMs: reading.duration(preparation.atMost, 'phases.preparation.atMost', 10_000) },
    baseline: { forMs: reading.duration(baseline.for, 'phases.baseline.for', 30_000) },
    stress,
    recovery: {
      atMostMs: reading.duration(recovery.atMost, 'phases.recovery.atMost', 30_000),
      consecutive: recovery.consecutive ?? 10,
    },
    validation: readValidation(reading, phases.validation ?? {}, steadyStates),
  }
}

async function readStress(
  reading: Reading,
  { load, for: duration }: NonNullable<PhasesFields['stress']>,
): Promise<Experiment['stress']> {
  const path = 'phases.stress.load'
  const forMs = reading.duration(duration, 'phases.stress.for', 0)
  const action = await readLoad(reading, load, path, forMs)
  if (!action) return undefined
  const severity = severityOf(action)
  const name = nameOfAction(action)
  return { forMs, step: { path, name, action, fromMs: 0, untilMs: forMs, rampMs: 0, severity } }
}

function isData({ probe }: SteadyState): boolean {
  return probe.kind === 'sql'
}

function readValidation(
  reading: Reading,
  fields: NonNullable<PhasesFields['validation']>,
  steadyStates: readonly SteadyState[],
): Validation {
  const path = 'phases.validation'
  const asked = steadyStates.filter(({ phases }) => phases.includes('validation'))
  const possible: Readonly<Record<ValidationStepName, boolean>> = {
    service_health_check: asked.some((state) => !isData(state)),
    data_consistency_check: asked.some(isData),
    performance_baseline_check: asked.some(({ phases }) => phases.includes('baseline')),
  }
  const names = Object.keys(possible) as ValidationStepName[]
  for (const [index, name] of (fields.steps ?? []).entries()) {
    if (possible[name]) continue
    const missing = {
      service_health_check: 'a steady state by http, tcp, process or promql that is asked in the phase validation',
      data_consistency_check: 'a steady state by sql that is asked in the phase validation',
      performance_baseline_check: 'a steady state that is asked in the phases baseline and validation',
    }
    const expected = `a step that has something to look at, ${missing[name]}`
    reading.refuse(`${path}.steps.${index}`, expected, name)
  }
  return {
    attempts: fields.attempts ?? 3,
    pauseMs: reading.duration(fields.pause, `${path}.pause`, 1000, { minMs: 0 }),
    forMs: reading.duration(fields.for, `${path}.for`, 10_000),
    steps: fields.steps ?? names.filter((name) => possible[name]),
  }
}

// ---- thresholds and safety -------------------------------------------------------------------------------------------

function readSlo(reading: Reading, fields: SloFields, environment: Experiment['environment']): Slo {
  const usual = usualSlo[environment]
  return {
    mttrMs: reading.duration(fields.mttr, 'slo.mttr', usual.mttrMs),
    errorRate: share(fields.errorRate, usual.errorRate),
    availability: share(fields.availability, usual.availability),
    latencyDegradationMs: reading.duration(
      fields.latencyDegradation,
      'slo.latencyDegradation',
      usual.latencyDegradationMs,
      { minMs: 0 },
    ),
    recoveryTimeMs: reading.duration(fields.recoveryTime, 'slo.recoveryTime', usual.recoveryTimeMs),
  }
}

function readSafety(
  reading: Reading,
  fields: SafetyFields,
  environment: Experiment['environment'],
  metrics: readonly string[],
): SafetyLimits {
  const { blastRadiusByType = {}, abortWhen = [] } = fields
  const path = 'safety.blastRadiusByType'
  const types = ['partition', ...new Set([...faultTypes('tcp'), ...faultTypes('udp')])]
  const byType = Object.entries(blastRadiusByType).map(([type, text]) => {
    if (!types.includes(type))
      reading.refuse(joinPath(path, type), `one of ${types.join(', ')}`, type, hint(type, types))
    return [type, readShare(text)] as const
  })
  if (fields.rollback === false && environment === 'production') {
    reading.refuse('safety.rollback', 'true in production', false)
  }
  if (fields.rollback !== false && fields.keepFor !== undefined) {
    reading.refuse('safety.keepFor', 'nothing without rollback: false', fields.keepFor)
  }
  return {
    keepForMs:
      fields.rollback === false ? reading.duration(fields.keepFor, 'safety.keepFor', DEFAULT_KEEP_FOR_MS) : undefined,
    maxDurationMs: reading.duration(fields.maxDuration, 'safety.maxDuration', DEFAULT_MAX_DURATION_MS),
    blastRadius: share(fields.blastRadius, DEFAULT_BLAST_RADIUS),
    blastRadiusByType: Object.fromEntries(byType),
    severity: fields.severity ?? usualSeverity[environment],
    abortWhen: abortWhen.flatMap(
      (condition, index) => readAbort(reading, condition, `safety.abortWhen.${index}`, metrics) ?? [],
    ),
  }
}

async function readWebhooks(reading: Reading, given: readonly WebhookFields[]): Promise<readonly Webhook[]> {
  for (const [index, { url }] of given.entries()) {
    await reading.checked(
      'notify',
      (field) => `notify.${index}.${field}`,
      () => parseUrl(url),
    )
  }
  return given.map(({ url, on = DEFAULT_NOTIFICATIONS }) => ({ url, on }))
}

function hint(word: string, known: readonly string[]): string {
  const close = nearest(word, [...known, ...Object.keys(stressors)])
  return close === undefined ? '' : ` (did you mean "${close}"?)`
}

function readAbort(
  reading: Reading,
  fields: AbortFields,
  path: string,
  metrics: readonly string[],
): AbortCondition | undefined {
  const figures = [...(Object.keys(abortFigures) as AbortFigure[]), 'metric' as const]
  const [figure, another] = figures.filter((name) => fields[name] !== undefined)
  if (figure === undefined) {
    reading.missing(path, `one of ${figures.join(', ')}`)
    return undefined
  }
  if (another !== undefined) reading.refuse(joinPath(path, another), `nothing beside ${figure}`, fields[another])
  const isOfProbes = figure === 'errorRate' || figure === 'availability' || figure === 'responseTime'
  if (fields.atLeast !== undefined && !isOfProbes) {
    reading.refuse(joinPath(path, 'atLeast'), `nothing with ${figure}, which is no figure of probes`, fields.atLeast)
  }
  const overMs = reading.duration(fields.over, joinPath(path, 'over'), 5000)
  if (figure === 'metric') return readAbortByMetric(reading, fields, path, { metrics, overMs })
  if (fields.value !== undefined) reading.refuse(joinPath(path, 'value'), 'nothing without metric', fields.value)
  const text = fields[figure] ?? ''
  const comparison = readComparison(text, abortFigures[figure])
  return { figure, comparison, text: `${figure} ${text}`, overMs, atLeast: fields.atLeast ?? 10 }
}

function readAbortByMetric(
  reading: Reading,
  { metric = '', value }: AbortFields,
  path: string,
  { metrics, overMs }: { readonly metrics: readonly string[]; readonly overMs: number },
): AbortCondition | undefined {
  if (!metrics.includes(metric)) {
    const expected =
      metrics.length === 0 ? 'the name of one of metrics, of which there are none' : `one of ${metrics.join(', ')}`
    reading.refuse(joinPath(path, 'metric'), expected, metric, hint(metric, metrics))
  }
  if (value === undefined) {
    reading.missing(joinPath(path, 'value'), 'a comparison such as "> 5"')
    return undefined
  }
  const comparison = readComparison(value, 'number')
  return { figure: 'metric', metric, comparison, text: `${metric} ${value}`, overMs, atLeast: 1 }
}

function share(text: string | number | undefined, usual: number): number {
  return text === undefined ? usual : readShare(text)
}

/** The phases one after another have to fit, at their longest. */
function checkLength(reading: Reading, experiment: Experiment): void {
  const { safety } = experiment
  const longestMs = longestOf(experiment)
  if (longestMs <= safety.maxDurationMs) return
  const expected = `phases that take at most ${formatDuration(safety.maxDurationMs)}, safety.maxDuration`
  reading.refuse('phases', expected, formatDuration(longestMs))
}
