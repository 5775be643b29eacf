// What answers of our own API must look like: the server's own types, and checks of what the command line reads of them.
// No schemas, because loading them costs the command line more time than its call does.
import type { Static } from '@sinclair/typebox'
import type { Journal } from '../../experiments/model.ts'
import type { FeedEntryView } from '../feed/entry.ts'
import type { dialSchema } from '../routes/dials.ts'
import type {
  experimentPlanSchema,
  experimentSchema,
  ExperimentSpec,
  recoverySchema,
} from '../routes/experiment-views.ts'
import type { leaseSchema } from '../routes/leases.ts'
import type { partitionSchema } from '../routes/partitions.ts'
import type { scenarioListSchema, scenarioViewSchema } from '../routes/scenarios.ts'
import type { statusAfterEndSchema } from '../routes/safety.ts'
import type { StatusView } from '../routes/status.ts'
import type { StressorView } from '../routes/stressor-views.ts'
import type { FaultView, ProxyView } from '../routes/views.ts'
import { isObject } from './transport.ts'

export type { FaultView, FeedEntryView, ProxyView, StatusView, StressorView }

export type PartitionView = Static<typeof partitionSchema>
export type LeaseView = Static<typeof leaseSchema>
/** What is there after everything was put back, and what that has ended. */
export type EndedView = Static<typeof statusAfterEndSchema>
export type DialView = Static<typeof dialSchema>

export type ExperimentView = Static<typeof experimentSchema>
export type ExperimentPlanView = Static<typeof experimentPlanSchema>
export type RecoveryView = Static<typeof recoverySchema>
export type ScenarioView = Static<typeof scenarioViewSchema>
export type ScenarioList = Static<typeof scenarioListSchema>
export type { ExperimentSpec, Journal }

export function isExperiment(value: unknown): value is ExperimentView {
  return isObject(value) && ['id', 'title', 'state'].every((field) => typeof value[field] === 'string')
}

export function isExperimentPlan(value: unknown): value is ExperimentPlanView {
  return isObject(value) && Array.isArray(value['steps']) && typeof value['longestMs'] === 'number'
}

export function isJournal(value: unknown): value is Journal {
  return isObject(value) && value['version'] === 1 && typeof value['outcome'] === 'string' && isObject(value['probes'])
}

export function isRecovery(value: unknown): value is RecoveryView {
  return isObject(value) && typeof value['recovered'] === 'boolean' && Array.isArray(value['checks'])
}

export function isScenario(value: unknown): value is ScenarioView {
  return isObject(value) && typeof value['name'] === 'string' && isObject(value['parameters'])
}

export function isScenarioList(value: unknown): value is ScenarioList {
  return isObject(value) && isListOf(isScenario)(value['scenarios']) && Array.isArray(value['suites'])
}

export function isFault(value: unknown): value is FaultView {
  return (
    isObject(value) &&
    ['name', 'type', 'direction'].every((field) => typeof value[field] === 'string') &&
    typeof value['probability'] === 'number' &&
    isObject(value['attributes'])
  )
}

export function isProxy(value: unknown): value is ProxyView {
  return (
    isObject(value) &&
    ['name', 'protocol', 'listen', 'upstream'].every((field) => typeof value[field] === 'string') &&
    typeof value['enabled'] === 'boolean' &&
    isListOf(isFault)(value['faults'])
  )
}

export function isPartition(value: unknown): value is PartitionView {
  return (
    isObject(value) &&
    typeof value['name'] === 'string' &&
    Array.isArray(value['links']) &&
    Array.isArray(value['cuts'])
  )
}

export function isLease(value: unknown): value is LeaseView {
  return (
    isObject(value) &&
    typeof value['id'] === 'string' &&
    typeof value['ttlMs'] === 'number' &&
    typeof value['ahead'] === 'number'
  )
}

export function isDial(value: unknown): value is DialView {
  return isObject(value) && (typeof value['reason'] === 'string' || value['reason'] === null)
}

export function isStatus(value: unknown): value is StatusView {
  return isObject(value) && typeof value['stopped'] === 'boolean' && typeof value['events'] === 'number'
}

export function isEnded(value: unknown): value is EndedView {
  return isStatus(value) && 'endedStressors' in value && typeof value.endedStressors === 'number'
}

export function isStressor(value: unknown): value is StressorView {
  return (
    isObject(value) &&
    ['id', 'name', 'type', 'state'].every((field) => typeof value[field] === 'string') &&
    ['attributes', 'requested', 'requestedNow', 'achieved'].every((field) => isObject(value[field])) &&
    typeof value['ttlMs'] === 'number' &&
    Array.isArray(value['notes'])
  )
}

export function isFeedEntry(value: unknown): value is FeedEntryView {
  return (
    isObject(value) &&
    typeof value['sequence'] === 'number' &&
    typeof value['type'] === 'string' &&
    isObject(value['detail'])
  )
}

export interface EventList {
  /** The sequence of the latest entry, of any type. */
  readonly total: number
  readonly events: readonly FeedEntryView[]
}

export function isEventList(value: unknown): value is EventList {
  return isObject(value) && typeof value['total'] === 'number' && isListOf(isFeedEntry)(value['events'])
}

export function isListOf<Item>(isItem: (value: unknown) => value is Item) {
  return (value: unknown): value is readonly Item[] => Array.isArray(value) && value.every(isItem)
}

/** An object with one field that is a list, which is how lists are answered. */
export function isListIn<Name extends string, Item>(name: Name, isItem: (value: unknown) => value is Item) {
  const isList = isListOf(isItem)
  return (value: unknown): value is Readonly<Record<Name, readonly Item[]>> => isObject(value) && isList(value[name])
}

export function isAnything(value: unknown): value is unknown {
  return value !== null
}
