// What an experiment would do to a target, step by step, and whether it may. Touches nothing: a dry run is this alone.
import { FaultlineError } from '../../proxy/errors.ts'
import { nearest } from '../../proxy/nearest.ts'
import { findFaultDefinition } from '../../proxy/index.ts'
import { notCarried } from '../../proxy/installed-fault.ts'
import { transportOf } from '../../proxy/protocols/registry.ts'
import { ONCE_TTL_MS } from '../file/actions.ts'
import type { Experiment, FaultAction, Step, StressAction } from '../file/experiment.ts'
import { longestOf } from '../file/longest.ts'
import { Reading } from '../file/reading.ts'
import { formatDuration, formatShare } from '../file/units.ts'
import type { PhaseName } from '../model.ts'
import { BlastRadius } from './blast-radius.ts'
import { RefusedError } from './refused-error.ts'
import type { ExperimentTarget, KnownProxy } from './target.ts'

export interface PlannedStep {
  readonly phase: PhaseName
  readonly step: Step
  /** Names of the proxies that it touches. */
  readonly touches: readonly string[]
  /** Share of the target's proxies that is touched up to this step, this one included. */
  readonly blastRadius: number
  /** What else should be known, as sentences. */
  readonly notes: readonly string[]
}

export interface Plan {
  readonly experiment: Experiment
  /** The target's name. */
  readonly target: string
  readonly steps: readonly PlannedStep[]
  /** Of how many proxies the blast radius is a share. */
  readonly proxies: number
  /** If everything takes as long as it may, in milliseconds. */
  readonly longestMs: number
}

export interface PlanOptions {
  /** Lets an experiment in production act. It is not asked of a dry run. Default false. */
  readonly allowProduction?: boolean
  readonly isDryRun?: boolean
}

/**
 * Plans an experiment, and asks the target for all that it knows.
 *
 * @throws RefusedError with everything for which it may not run
 */
export async function planExperiment(
  experiment: Experiment,
  target: ExperimentTarget,
  { allowProduction = false, isDryRun = false }: PlanOptions = {},
): Promise<Plan> {
  const reading = new Reading()
  if (experiment.environment === 'production' && !allowProduction && !isDryRun) {
    const expected = 'a confirmation that this may act in production'
    reading.mistakes.errors.push(
      new FaultlineError('invalid_value', `environment: expected ${expected}`, { field: 'environment', expected }),
    )
  }
  const known = await target.proxies()
  if (await target.isStopped()) {
    reading.mistakes.errors.push(
      new FaultlineError(
        'stopped',
        `the emergency stop of ${target.name} is on: nothing can act until it is taken back`,
      ),
    )
  }
  const radius = new BlastRadius(experiment.safety)
  const steps: PlannedStep[] = []
  for (const [phase, step] of stepsOf(experiment)) {
    const notes = await checkStep(reading, step, target, known)
    const touches = notes && reading.mistakes.collect(step.path, () => radius.touch(step, known))
    if (!notes || !touches) continue
    const blastRadius = known.length === 0 ? 0 : radius.touched.length / known.length
    steps.push({ phase, step, touches, blastRadius, notes })
  }
  const { errors } = reading.mistakes
  if (errors.length > 0) throw new RefusedError(errors)
  return { experiment, target: target.name, steps, proxies: known.length, longestMs: longestOf(experiment) }
}

/** In the order of their begin. */
export function stepsOf({ stress, failure }: Experiment): (readonly [PhaseName, Step])[] {
  const ofFailure = failure.steps.toSorted((a, b) => a.fromMs - b.fromMs)
  return [...(stress ? [['stress', stress.step] as const] : []), ...ofFailure.map((step) => ['failure', step] as const)]
}

/** @returns what should be known of it; undefined if it can't be done, which is on record */
async function checkStep(
  reading: Reading,
  step: Step,
  target: ExperimentTarget,
  known: readonly KnownProxy[],
): Promise<readonly string[] | undefined> {
  const { action, path } = step
  switch (action.kind) {
    case 'fault':
      return reading.mistakes.collect(path, () => checkFault(action, path, known))
    case 'partition': {
      // Services that are not there are found where the links that it cuts are.
      const radius = new BlastRadius({ blastRadius: 1, blastRadiusByType: {} })
      const links = await reading.checked(
        path,
        (field) => `${path}.partition.${field}`,
        () => radius.touch(step, known),
      )
      if (links?.length === 0) reading.refuse(`${path}.partition`, 'services with a proxy between them', action.spec)
      return links?.length ? [`cuts ${links.join(', ')}`] : undefined
    }
    case 'stress':
      return checkStress(reading, step, action, target)
    default:
      return []
  }
}

/** @throws FaultlineError naming the field */
function checkFault({ proxy: name, spec }: FaultAction, path: string, known: readonly KnownProxy[]): readonly string[] {
  const names = known.map((candidate) => candidate.name)
  const proxy = known.find((candidate) => candidate.name === name)
  if (!proxy) {
    const field = `${path}.fault.proxy`
    const close = nearest(name, names)
    const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
    const expected = names.length === 0 ? 'a proxy of the target, which has none' : `one of ${names.join(', ')}`
    const message = `${field}: expected ${expected}, got ${JSON.stringify(name)}${hint}`
    throw new FaultlineError('proxy_not_found', message, { field, expected })
  }
  const transport = transportOf(proxy.protocol)
  const definition = findFaultDefinition(spec.type, transport)
  if (!definition) throw notCarried(spec.type, `${path}.fault`, transport)
  if (definition.layer === 'message' && definition.protocol !== proxy.protocol) {
    const field = `${path}.fault.type`
    const expected = `what a proxy with protocol ${proxy.protocol} carries`
    const message = `${field}: expected ${expected}, got ${spec.type}, which needs ${definition.protocol}`
    throw new FaultlineError('fault_not_carried', message, { field, expected })
  }
  return proxy.enabled ? [] : [`the proxy ${name} is disabled: nobody will notice`]
}

async function checkStress(
  reading: Reading,
  { path, fromMs, untilMs, rampMs }: Step,
  { type, attributes, isOnce }: StressAction,
  target: ExperimentTarget,
): Promise<readonly string[] | undefined> {
  const key = ['process', 'container'].includes(type) ? type : 'stress'
  const ttlMs = isOnce ? Math.max(ONCE_TTL_MS, rampMs) : untilMs - fromMs
  const rename = (field: string): string => {
    if (field === 'ttlMs') return `${path}.for`
    if (field === 'rampUpMs') return `${path}.ramp`
    return field === '' ? `${path}.${key}` : `${path}.${key}.${field.replace(/^attributes\./, '')}`
  }
  const planned = await reading.checked(path, rename, () =>
    target.planStressor({ type, attributes, ttlMs, rampUpMs: rampMs }),
  )
  if (!planned) return undefined
  const figures = Object.entries(planned.requested).map(([name, value]) => `${name} ${value}`)
  return [...(figures.length > 0 ? [figures.join(', ')] : []), ...planned.notes]
}

/** As lines for people: every step with what it would do and its blast radius. */
export function describePlan(plan: Plan): string[] {
  const { experiment, target, steps, proxies, longestMs } = plan
  const lines = [
    `${experiment.title}, on ${target}: ${steps.length} steps, ${formatDuration(longestMs)} at most`,
    `baseline ${formatDuration(experiment.baseline.forMs)}`,
  ]
  for (const { phase, step, touches, blastRadius, notes } of steps) {
    const { name, fromMs, untilMs, rampMs, severity } = step
    const ramp = rampMs > 0 ? `, growing for ${formatDuration(rampMs)}` : ''
    const whom = touches.length === 0 ? 'touches no proxy' : `touches ${touches.join(', ')}`
    const radius = `blast radius ${formatShare(blastRadius)} of ${proxies}`
    lines.push(
      `${phase} ${formatDuration(fromMs)} to ${formatDuration(untilMs)}: ${name}${ramp}; severity ${severity}; ${whom}; ${radius}`,
      ...notes.map((note) => `  ${note}`),
    )
  }
  const { recovery, validation } = experiment
  const { keepForMs } = experiment.safety
  if (keepForMs !== undefined) {
    lines.push(`no rollback: faults that act in the end stay, for ${formatDuration(keepForMs)} at most`)
  }
  for (const { url, on } of experiment.notify) lines.push(`tells ${new URL(url).origin} of ${on.join(', ')}`)
  lines.push(`recovery ${formatDuration(recovery.atMostMs)} at most`, `validation: ${validation.steps.join(', ')}`)
  return lines
}
