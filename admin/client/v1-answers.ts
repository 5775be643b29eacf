// What answers of our own API must look like: the server's own types, and checks of what the command line reads of them.
// No schemas, because loading them costs the command line more time than its call does.
import type { Static } from '@sinclair/typebox'
import type { FeedEntryView } from '../feed/entry.ts'
import type { partitionSchema } from '../routes/partitions.ts'
import type { StatusView } from '../routes/status.ts'
import type { FaultView, ProxyView } from '../routes/views.ts'
import { isObject } from './transport.ts'

export type { FaultView, FeedEntryView, ProxyView, StatusView }

export type PartitionView = Static<typeof partitionSchema>

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

export function isStatus(value: unknown): value is StatusView {
  return isObject(value) && typeof value['stopped'] === 'boolean' && typeof value['events'] === 'number'
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
