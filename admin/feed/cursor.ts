// Where a stream is in the feed. Nothing is queued for a stream: one that is slow has its place behind the others', and
// misses what the feed has forgotten by the time that it comes there.
import type { FeedEntryView } from './entry.ts'
import type { Feed } from './feed.ts'
import type { FeedFilter } from './filter.ts'

/** Taken at a time: with usual entries some 30 KB. */
const BATCH_ENTRIES = 100

/** What is to be sent. */
export interface FeedLine {
  readonly sequence: number
  readonly type: string
  readonly json: string
}

export class FeedCursor {
  readonly #feed: Feed
  readonly #filter: FeedFilter
  readonly #closed: () => void
  #sequence: number
  /** To be said before anything else. */
  #notice: FeedLine | undefined

  /** Made by {@link Feed.read}. */
  constructor(feed: Feed, filter: FeedFilter, since: number | undefined, closed: () => void) {
    this.#feed = feed
    this.#filter = filter
    this.#closed = closed
    this.#sequence = since ?? feed.total
    if (this.#sequence <= feed.total) return
    // A sequence of another server, before a restart: whatever was since then is new to the reader.
    this.#sequence = 0
    this.#notice = this.#line('gap', { since: since ?? 0, missed: feed.missedAfter(filter, 0) })
  }

  /**
   * The next entries; none if there are no more for now. Where some are forgotten, a `gap` says how many, at most: those
   * of other types among them have been forgotten uncounted.
   */
  take(): readonly FeedLine[] {
    const lines = this.#takeNotices()
    const entries = this.#feed.next(this.#filter, this.#sequence, BATCH_ENTRIES)
    const isAll = entries.length < BATCH_ENTRIES
    this.#sequence = isAll ? this.#feed.total : (entries.at(-1)?.sequence ?? this.#sequence)
    return [...lines, ...entries]
  }

  #takeNotices(): FeedLine[] {
    const said = this.#notice
    this.#notice = undefined
    if (said) return [said]
    const missed = this.#feed.missedAfter(this.#filter, this.#sequence)
    return missed > 0 ? [this.#line('gap', { since: this.#sequence, missed })] : []
  }

  /** The last words of a stream. */
  end(reason: string): FeedLine {
    return this.#line('end', { reason })
  }

  #line(type: 'gap' | 'end', detail: FeedEntryView['detail']): FeedLine {
    const sequence = this.#sequence
    return { sequence, type, json: JSON.stringify(this.#feed.notice(sequence, type, detail)) }
  }

  /** The stream is over. */
  close(): void {
    this.#closed()
  }
}
