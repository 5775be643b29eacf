// Everything that happened in a network and to its server under one sequence: what /v1/events lists and streams.
// Only the admin server has one: the data plane records into its own logs, and does not know of it.
import type { TimerHandle } from '../../proxy/clock.ts'
import { DEFAULT_INJECTION_LOG_ENTRIES } from '../../proxy/injection-log.ts'
import type { Network } from '../../proxy/index.ts'
import type { Stressors } from '../../resource-stressors/index.ts'
import { Refusal } from '../security/refusal.ts'
import { FeedCursor } from './cursor.ts'
import {
  feedPartOf,
  FeedEntry,
  type FeedEntryView,
  type FeedNotice,
  type FeedPart,
  type FeedRecord,
  type FeedType,
} from './entry.ts'
import type { FeedFilter } from './filter.ts'
import { Ring } from './ring.ts'
import type { ServerLog } from './server-log.ts'

/** Of each part: as many as the network's own logs keep. */
const KEPT_ENTRIES = DEFAULT_INJECTION_LOG_ENTRIES

/** Streams at a time, of both kinds. */
export const MAX_READERS = 64

/** So often every reader gets a sign of life, and is looked at whether it gives one. */
export const HEARTBEAT_MS = 15_000

/** A stream, as the feed sees it. It takes entries from its cursor whenever it has room for more. */
export interface FeedReader {
  /** There may be more to take. */
  wake(): void
  heartbeat(): void
  /** The server is closed. */
  end(): void
}

/** A log that the feed is made of. */
interface FeedSource {
  readonly total: number
  entries(): readonly FeedRecord[]
  subscribe(listener: (record: FeedRecord) => void): () => void
}

export class Feed {
  /** Milliseconds since the Unix epoch. */
  readonly startedMs: number
  readonly #network: Network
  readonly #parts: Readonly<Record<FeedPart, Ring<FeedEntry>>> = {
    injections: new Ring(KEPT_ENTRIES),
    connections: new Ring(KEPT_ENTRIES),
    reports: new Ring(KEPT_ENTRIES),
    changes: new Ring(KEPT_ENTRIES),
  }
  readonly #readers = new Set<FeedReader>()
  readonly #unsubscribe: readonly (() => void)[]
  #sequence = 0
  #heartbeat: TimerHandle
  #waking: NodeJS.Immediate | undefined

  /** Has also what the network and the others still know of the time before. */
  constructor(network: Network, stressors: Stressors, server: ServerLog) {
    this.#network = network
    this.startedMs = network.clock.wallTimeMs()
    const { injections, events, changes, connectionEvents } = network
    const logs: readonly FeedSource[] = [injections, events, changes, connectionEvents, stressors.events, server]
    const known = logs.flatMap((log) => log.entries())
    for (const record of known.toSorted((one, other) => one.timeMs - other.timeMs)) this.#append(record)
    this.#unsubscribe = logs.map((log) => {
      const { total } = log
      // What was recorded in this very turn is told of only after it, and is known already.
      return log.subscribe((record) => {
        if (record.sequence > total) this.#append(record)
      })
    })
  }

  /** Entries so far. */
  get total(): number {
    return this.#sequence
  }

  /** How many streams are being read. */
  get readers(): number {
    return this.#readers.size
  }

  /** Kept entries after this sequence that pass, oldest first: at most so many, the latest ones. */
  latest(filter: FeedFilter, since: number, limit: number): FeedEntry[] {
    const found = this.#collect(filter, (ring, passes) => ring.latest(since, limit, passes))
    return found.slice(Math.max(0, found.length - limit))
  }

  /** The same, the first ones. */
  next(filter: FeedFilter, since: number, limit: number): FeedEntry[] {
    return this.#collect(filter, (ring, passes) => ring.next(since, limit, passes)).slice(0, limit)
  }

  #collect(
    filter: FeedFilter,
    read: (ring: Ring<FeedEntry>, passes: (entry: FeedEntry) => boolean) => FeedEntry[],
  ): FeedEntry[] {
    const passes = (entry: FeedEntry): boolean => filter.passes(entry)
    const found = [...filter.parts].flatMap((part) => read(this.#parts[part], passes))
    return found.sort((one, other) => one.sequence - other.sequence)
  }

  /** How many entries after this sequence are forgotten, at most; of the parts that have what passes. */
  missedAfter(filter: FeedFilter, sequence: number): number {
    return [...filter.parts].reduce((sum, part) => sum + this.#parts[part].missedAfter(sequence), 0)
  }

  notice(sequence: number, type: FeedNotice, detail: FeedEntryView['detail']): FeedEntryView {
    return { sequence, timeMs: this.#network.clock.wallTimeMs(), type, detail }
  }

  /** @throws Refusal 503 if there are as many streams as there may be */
  checkRoom(): void {
    if (this.#readers.size < MAX_READERS) return
    const expected = `at most ${MAX_READERS} streams at a time`
    throw new Refusal(503, 'too_many_streams', `expected ${expected}`, { expected })
  }

  /**
   * Begins a stream.
   *
   * @param since the last sequence that its reader has; undefined = only what happens from now on
   */
  read(reader: FeedReader, filter: FeedFilter, since: number | undefined): FeedCursor {
    this.#readers.add(reader)
    if (this.#readers.size === 1) this.#awaitHeartbeat()
    return new FeedCursor(this, filter, since, () => {
      this.#readers.delete(reader)
      if (this.#readers.size === 0) this.#network.clock.clearTimer(this.#heartbeat)
    })
  }

  #append(record: FeedRecord): void {
    const type: FeedType = 'fault' in record ? 'injection' : record.type
    this.#parts[feedPartOf(type)].append(new FeedEntry(++this.#sequence, type, record))
    // Once for all that happens in a turn, and behind the bytes that proxies have to pass on in it.
    if (this.#readers.size > 0) this.#waking ??= setImmediate(() => this.#wake())
  }

  #wake(): void {
    this.#waking = undefined
    for (const reader of this.#readers) reader.wake()
  }

  #awaitHeartbeat(): void {
    this.#heartbeat = this.#network.clock.setTimer(() => {
      for (const reader of this.#readers) reader.heartbeat()
      if (this.#readers.size > 0) this.#awaitHeartbeat()
    }, HEARTBEAT_MS)
  }

  /** Ends all streams. */
  close(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
    clearImmediate(this.#waking)
    for (const reader of this.#readers) reader.end()
  }
}
