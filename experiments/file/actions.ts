// Reads what a step does: a fault, a partition, a stressor, a load. All that can be known without the target is checked by
// the very code that will do it.
import type { Static, TObject } from '@sinclair/typebox'
import type { Fields } from '../../admin/config/mistakes.ts'
import { systemClock } from '../../proxy/clock.ts'
import { connectionMatchSchema } from '../../proxy/connection-match.ts'
import type { FaultDefinition, FaultSpec, Transport } from '../../proxy/faults/fault.ts'
import { findFaultDefinition, InstalledFault, Partition, shapes, type PartitionSpec } from '../../proxy/index.ts'
import { Safety } from '../../proxy/safety.ts'
import { joinPath } from '../../proxy/validate.ts'
import { checkSpec } from '../../resource-stressors/spec.ts'
import { findStressorDefinition } from '../../resource-stressors/index.ts'
import type { FaultAction, PartitionAction, PlainFaultSpec, StepAction, StressAction } from './experiment.ts'
import { readLoad } from './loads.ts'
import { rampedTo, readRampStart } from './ramps.ts'
import type { Reading } from './reading.ts'
import type { actionNames, partitionStepSchema, stepSchema } from './step-schema.ts'

export type StepFields = Static<typeof stepSchema>
type ActionName = (typeof actionNames)[number]

/** When the step acts, as far as it has been read. */
export interface StepTimes {
  readonly forMs: number | undefined
  readonly rampMs: number
}

/** Stressors last no longer; those without a time of their own are given this to act once. */
export const ONCE_TTL_MS = 60_000

/** @returns undefined if something is wrong, which is on record */
export async function readAction(
  reading: Reading,
  name: ActionName,
  step: StepFields,
  times: StepTimes,
  path: string,
): Promise<StepAction | undefined> {
  const actionPath = joinPath(path, name)
  if (step.rampFrom !== undefined && name !== 'fault') {
    reading.refuse(joinPath(path, 'rampFrom'), `nothing with ${name}: only faults grow from something`, step.rampFrom)
  }
  if (step.ramp !== undefined && (name === 'partition' || name === 'load')) {
    const why = name === 'load' ? 'which has a ramp of its own' : 'which is there or not'
    reading.refuse(joinPath(path, 'ramp'), `nothing with ${name}, ${why}`, step.ramp)
  }
  switch (name) {
    case 'fault':
      return readFault(reading, step, times, path)
    case 'partition':
      return readPartition(reading, step.partition as PartitionFields, actionPath)
    case 'load':
      return readLoad(reading, step.load as NonNullable<StepFields['load']>, actionPath, times.forMs)
    default:
      return readStress(reading, name, step[name] as Fields, times, path)
  }
}

// ---- faults ----------------------------------------------------------------------------------------------------------

function readFault(reading: Reading, step: StepFields, times: StepTimes, path: string): FaultAction | undefined {
  const { proxy, ...spec } = step.fault as Required<StepFields>['fault']
  const faultPath = joinPath(path, 'fault')
  const before = reading.mistakes.errors.length
  const definition = findFaultDefinition(spec.type) ?? findFaultDefinition(spec.type, 'udp')
  if (definition) checkFields(reading, definition, spec, faultPath)
  if (reading.mistakes.errors.length > before) return undefined
  if (!reading.mistakes.collect(faultPath, () => buildFault(spec, faultPath))) return undefined
  const fromPath = joinPath(path, 'rampFrom')
  if (times.rampMs === 0) {
    if (step.rampFrom !== undefined) reading.refuse(fromPath, 'nothing without ramp', step.rampFrom)
    return { kind: 'fault', proxy, spec, rampFrom: undefined }
  }
  const from = step.rampFrom
  const rampFrom = readRampStart(reading, spec, from, fromPath)
  const action: FaultAction = { kind: 'fault', proxy, spec, rampFrom }
  const field = from ? fromPath : joinPath(path, 'ramp')
  const start = { ...spec, ...withMerged(spec, rampedTo(action, definition, 0)) }
  return rampFrom && reading.mistakes.collect(field, () => buildFault(start, '')) && action
}

function withMerged(spec: PlainFaultSpec, change: Pick<PlainFaultSpec, 'attributes' | 'probability'>): PlainFaultSpec {
  return { ...spec, ...change, attributes: { ...spec.attributes, ...change.attributes } }
}

/** All mistakes of attributes and match; building it tells of the first one only. */
function checkFields(reading: Reading, definition: FaultDefinition, spec: PlainFaultSpec, path: string): void {
  const matchSchema = 'matchSchema' in definition ? definition.matchSchema : connectionMatchSchema
  const { attributes = {}, match = {} } = spec
  reading.mistakes.fields(definition.schema as TObject, attributes, `${path}.attributes`)
  reading.mistakes.fields(matchSchema, match, `${path}.match`)
}

/** Some types are for streams and for datagrams: one of them has to take it, as the target's proxy is not known yet. */
function buildFault(spec: FaultSpec, path: string): true {
  const transports = (['tcp', 'udp'] as const).filter((transport) => findFaultDefinition(spec.type, transport))
  const [first = 'tcp', second] = transports
  const build = (transport: Transport): unknown => InstalledFault.fromSpec(spec, path, () => Buffer.alloc(0), transport)
  try {
    build(first)
  } catch (error) {
    if (second === undefined) throw error
    build(second)
  }
  return true
}

// ---- partitions ------------------------------------------------------------------------------------------------------

type PartitionFields = Static<typeof partitionStepSchema>

function readPartition(reading: Reading, fields: PartitionFields, path: string): PartitionAction | undefined {
  const { shape, services, ...plain } = fields
  if ((shape === undefined) !== (services === undefined)) {
    if (shape === undefined) reading.missing(joinPath(path, 'shape'), 'the shape that services are cut into')
    else reading.missing(joinPath(path, 'services'), 'the services that the shape is made of')
    return undefined
  }
  const spec =
    shape === undefined || services === undefined
      ? (plain as PartitionSpec)
      : { ...(plain as PartitionSpec), ...shaped(shape as keyof typeof shapes, services) }
  const given = (['groups', 'cuts'] as const).find((name) => plain[name] !== undefined)
  if (shape !== undefined && given !== undefined) {
    reading.refuse(joinPath(path, given), 'nothing beside shape', plain[given])
    return undefined
  }
  if (shape === 'majoritiesRing' && (services?.length ?? 0) < 5) {
    reading.refuse(joinPath(path, 'services'), 'at least five services for a ring of majorities', services)
    return undefined
  }
  const checked = reading.mistakes.collect(path, () => buildPartition(spec))
  return checked && { kind: 'partition', spec }
}

function shaped(shape: keyof typeof shapes, services: readonly string[]): PartitionSpec {
  return shape === 'isolate' ? shapes.isolate(services[0] ?? '', services) : shapes[shape](services)
}

/** Services that no proxy knows come out when there is a target. */
function buildPartition(spec: PartitionSpec): Partition {
  return checkPartition(spec, new Set([...(spec.groups ?? []), ...(spec.cuts ?? [])].flat()))
}

/**
 * Checks a partition without cutting anything.
 *
 * @param services that proxies name as `from` or `to`
 * @throws FaultlineError naming the field
 */
export function checkPartition(spec: PartitionSpec, services: ReadonlySet<string>): Partition {
  const safety = new Safety(systemClock, {}, { created: nothing, ended: nothing })
  return new Partition(spec, 'partition', services, { clock: systemClock, safety, healed: nothing })
}

function nothing(): void {}

// ---- stressors -------------------------------------------------------------------------------------------------------

/** The attribute that `name` stands for. */
const named = { process: 'command', container: 'container' } as const
const onceActions: Readonly<Record<string, readonly string[]>> = {
  process: ['kill', 'terminate'],
  container: ['kill', 'restart'],
}

async function readStress(
  reading: Reading,
  kind: 'stress' | 'process' | 'container',
  fields: Fields,
  { forMs, rampMs }: StepTimes,
  path: string,
): Promise<StressAction | undefined> {
  const actionPath = joinPath(path, kind)
  const { type, attributes } = kind === 'stress' ? ofStress(fields) : ofNamed(reading, kind, fields, actionPath)
  const definition = findStressorDefinition(type)
  const isOnce = (onceActions[type] ?? []).includes(String(attributes['action'])) && attributes['startAgain'] !== true
  const before = reading.mistakes.errors.length
  if (definition) reading.mistakes.fields(definition.schema as unknown as TObject, attributes, actionPath)
  if (reading.mistakes.errors.length > before) return undefined
  const ttlMs = forMs ?? ONCE_TTL_MS
  const spec = { type, attributes, ttlMs: Math.max(ttlMs, rampMs), rampUpMs: rampMs }
  const rename = (field: string): string => {
    if (field === 'type') return joinPath(actionPath, 'kind')
    if (field === 'ttlMs') return joinPath(path, 'for')
    if (field === 'rampUpMs') return joinPath(path, 'ramp')
    return joinPath(actionPath, field.replace(/^attributes\.?/, ''))
  }
  const checked = await reading.checked(actionPath, rename, () => checkSpec(spec))
  return checked && { kind: 'stress', type, attributes, isOnce }
}

interface StressFields {
  readonly type: string
  readonly attributes: Fields
}

function ofStress({ kind, ...attributes }: Fields): StressFields {
  return { type: String(kind), attributes }
}

function ofNamed(reading: Reading, type: 'process' | 'container', fields: Fields, path: string): StressFields {
  const { name, ...attributes } = fields
  const attribute = named[type]
  if (name === undefined) return { type, attributes }
  if (attributes[attribute] !== undefined) {
    reading.refuse(joinPath(path, 'name'), `nothing beside ${attribute}, which is the same`, name)
  }
  return { type, attributes: { ...attributes, [attribute]: name } }
}

/** Stands in reports. */
export function nameOfAction(action: StepAction): string {
  switch (action.kind) {
    case 'fault':
      return `fault ${action.spec.type} on ${action.proxy}`
    case 'partition':
      return `partition of ${partitionedServices(action).join(', ')}`
    case 'stress': {
      const { action: verb, command, commandLine, pid, container, label } = action.attributes
      const whom = command ?? commandLine ?? pid ?? container ?? label
      const what = typeof verb === 'string' ? `${action.type} ${verb}` : action.type
      return whom === undefined
        ? `stress ${what}`
        : `${what} of ${typeof whom === 'string' ? whom : JSON.stringify(whom)}`
    }
    case 'load':
      return `load of ${action.perSecond}/s by ${action.probe.kind}`
    default:
      return 'step'
  }
}

function partitionedServices({ spec }: PartitionAction): string[] {
  return [...new Set([...(spec.groups ?? []), ...(spec.cuts ?? [])].flat())]
}
