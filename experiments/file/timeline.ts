// Reads the steps of the failure phase, and places them in time: groups are only a way to write, so that from here on
// every step has its begin and its end.
import { joinPath } from '../../proxy/validate.ts'
import { nameOfAction, readAction, type StepFields } from './actions.ts'
import { deepCheck } from './deep-check.ts'
import type { Step, StepAction } from './experiment.ts'
import type { Reading } from './reading.ts'
import { severityOf } from './severity.ts'
import { actionNames, groupNames, stepSchema } from './step-schema.ts'
import { formatDuration } from './units.ts'

/** What steps have to keep to. */
export interface StepLimits {
  readonly maxDurationMs: number
  readonly severity: number
}

export interface Timeline {
  readonly steps: readonly Step[]
  /** When the last one has ended. */
  readonly forMs: number
}

/** `free`: one after another, and some at their time. */
type Order = 'free' | 'parallel' | 'sequence'

interface Leaf {
  readonly path: string
  readonly atMs: number | undefined
  /** Undefined: until the end of the phase. */
  readonly forMs: number | undefined
  readonly rampMs: number
  readonly name: string
  /** Undefined: it waits. */
  readonly action: StepAction | undefined
}

interface Group {
  readonly path: string
  readonly atMs: number | undefined
  readonly order: Order
  readonly members: readonly (Leaf | Group)[]
}

const MAX_STEPS = 1000

/** @returns undefined if something is wrong, which is on record */
export async function readTimeline(
  reading: Reading,
  given: readonly unknown[],
  limits: StepLimits,
  path: string,
): Promise<Timeline | undefined> {
  const before = reading.mistakes.errors.length
  const root = await readGroup(reading, given, 'free', undefined, limits, path)
  if (reading.mistakes.errors.length > before) return undefined
  const placed: Placed = { steps: [], endsMs: [0] }
  place(reading, root, 0, placed)
  if (reading.mistakes.errors.length > before) return undefined
  const { steps } = placed
  const forMs = Math.max(...placed.endsMs.filter((endMs) => endMs !== Infinity))
  const endless = steps.find(({ fromMs, untilMs }) => untilMs === Infinity && fromMs >= forMs)
  if (endless) reading.missing(joinPath(endless.path, 'for'), 'a duration, as nothing else says when the phase ends')
  if (steps.length === 0) reading.refuse(path, 'a step that does something', given)
  if (steps.length > MAX_STEPS) reading.refuse(path, `at most ${MAX_STEPS} steps`, steps.length)
  if (forMs > limits.maxDurationMs) {
    const most = `at most ${formatDuration(limits.maxDurationMs)}, safety.maxDuration`
    reading.refuse(path, `steps that take ${most}`, formatDuration(forMs))
  }
  if (reading.mistakes.errors.length > before) return undefined
  return { steps: steps.map((step) => ({ ...step, untilMs: Math.min(step.untilMs, forMs) })), forMs }
}

interface Placed {
  readonly steps: Step[]
  /** Of steps and of pauses. */
  readonly endsMs: number[]
}

async function readGroup(
  reading: Reading,
  given: readonly unknown[],
  order: Order,
  atMs: number | undefined,
  limits: StepLimits,
  path: string,
): Promise<Group> {
  const members: (Leaf | Group)[] = []
  for (const [index, step] of given.entries()) {
    const member = await readStep(reading, step, order, limits, joinPath(path, String(index)))
    if (member) members.push(member)
  }
  return { path, atMs, order, members }
}

async function readStep(
  reading: Reading,
  given: unknown,
  order: Order,
  limits: StepLimits,
  path: string,
): Promise<Leaf | Group | undefined> {
  if (!deepCheck(reading.mistakes, stepSchema, given, path)) return undefined
  const step = given as StepFields
  const kinds = [...actionNames, 'wait' as const, ...groupNames]
  const [kind, another] = kinds.filter((name) => step[name] !== undefined)
  if (kind === undefined) return refuseMissing(reading, path, kinds)
  if (another !== undefined) {
    reading.refuse(joinPath(path, another), `nothing beside ${kind}`, step[another])
    return undefined
  }
  const bounds = { minMs: 0, maxMs: limits.maxDurationMs, because: 'safety.maxDuration' }
  const atMs = step.at === undefined ? undefined : reading.duration(step.at, joinPath(path, 'at'), 0, bounds)
  if (atMs !== undefined && order === 'sequence') {
    reading.refuse(joinPath(path, 'at'), 'nothing in a sequence, whose steps follow one another', step.at)
  }
  if (kind === 'parallel' || kind === 'sequence') {
    for (const name of ['name', 'for', 'ramp', 'rampFrom'] as const) {
      if (step[name] !== undefined) reading.refuse(joinPath(path, name), `nothing beside ${kind}`, step[name])
    }
    return readGroup(reading, step[kind] ?? [], kind, atMs, limits, joinPath(path, kind))
  }
  return readLeaf(reading, kind, step, atMs, limits, path)
}

function refuseMissing(reading: Reading, path: string, kinds: readonly string[]): undefined {
  reading.missing(path, `one of ${kinds.join(', ')}`)
}

async function readLeaf(
  reading: Reading,
  kind: (typeof actionNames)[number] | 'wait',
  step: StepFields,
  atMs: number | undefined,
  { maxDurationMs, severity }: StepLimits,
  path: string,
): Promise<Leaf | undefined> {
  const bounds = { maxMs: maxDurationMs, because: 'safety.maxDuration' }
  const forMs = step.for === undefined ? undefined : reading.duration(step.for, joinPath(path, 'for'), 1, bounds)
  const rampMs = reading.duration(step.ramp, joinPath(path, 'ramp'), 0, {
    maxMs: forMs ?? maxDurationMs,
    because: forMs === undefined ? 'safety.maxDuration' : 'the time that the step takes',
  })
  if (kind === 'wait') {
    for (const name of ['name', 'for', 'ramp', 'rampFrom'] as const) {
      if (step[name] !== undefined) reading.refuse(joinPath(path, name), 'nothing beside wait', step[name])
    }
    const waitMs = reading.duration(step.wait, joinPath(path, 'wait'), 1, bounds)
    return { path, atMs, forMs: waitMs, rampMs: 0, name: 'wait', action: undefined }
  }
  const action = await readAction(reading, kind, step, { forMs, rampMs }, path)
  if (!action) return undefined
  const hardness = severityOf(action)
  if (hardness > severity) {
    reading.refuse(joinPath(path, kind), `a step of severity ${severity} at most, safety.severity`, hardness)
  }
  const isOver = action.kind === 'stress' && action.isOnce
  return {
    path,
    atMs,
    forMs: forMs ?? (isOver ? 0 : undefined),
    rampMs,
    name: step.name ?? nameOfAction(action),
    action,
  }
}

/** @returns when all of it has ended */
function place(reading: Reading, group: Group, beginMs: number, placed: Placed): number {
  let cursorMs = beginMs
  let endMs = beginMs
  for (const member of group.members) {
    const offsetMs = member.atMs ?? (group.order === 'parallel' ? 0 : undefined)
    const fromMs = offsetMs === undefined ? cursorMs : beginMs + offsetMs
    if (fromMs === Infinity) {
      reading.missing(joinPath(member.path, 'at'), 'a time, as the step before goes on until the end of the phase')
      return Infinity
    }
    cursorMs = 'members' in member ? place(reading, member, fromMs, placed) : placeLeaf(member, fromMs, placed)
    endMs = Math.max(endMs, cursorMs)
  }
  return endMs
}

function placeLeaf({ path, forMs = Infinity, rampMs, name, action }: Leaf, fromMs: number, placed: Placed): number {
  const untilMs = fromMs + forMs
  placed.endsMs.push(untilMs)
  if (action) placed.steps.push({ path, name, action, fromMs, untilMs, rampMs, severity: severityOf(action) })
  return untilMs
}
