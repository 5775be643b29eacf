// The feed as server-sent events (HTML standard, section 9.2).
import { Readable } from 'node:stream'
import type { Clock } from '../../proxy/index.ts'
import type { FeedCursor, FeedLine } from './cursor.ts'
import type { Feed, FeedReader } from './feed.ts'
import type { FeedFilter } from './filter.ts'

/** How soon a browser comes back after its connection broke. */
const RETRY_MS = 1000

/** Heartbeats in a row in which nothing could be written: then the client does not read. */
const MAX_SILENT_HEARTBEATS = 2

/** What a client that does not read has for reading the last event, which says why. */
const END_DEADLINE_MS = 5000

/** The body of the answer. What is written ahead is bounded by the stream itself and one batch of the cursor. */
export class ServerSentEvents extends Readable implements FeedReader {
  readonly #cursor: FeedCursor
  readonly #clock: Clock
  /** Whether more can be written. */
  #hasRoom = false
  #silentHeartbeats = 0
  #ended = false

  constructor(feed: Feed, clock: Clock, filter: FeedFilter, since: number | undefined) {
    super({ encoding: 'utf8' })
    this.#clock = clock
    this.#cursor = feed.read(this, filter, since)
    // Something has to come at once: the head of the answer is sent with the first bytes.
    this.push(`retry: ${RETRY_MS}\n\n`)
  }

  override _read(): void {
    this.#hasRoom = true
    this.#silentHeartbeats = 0
    this.wake()
  }

  wake(): void {
    if (!this.#hasRoom || this.#ended) return
    const lines = this.#cursor.take()
    if (lines.length > 0) this.#write(lines.map(toEvent).join(''))
  }

  heartbeat(): void {
    if (this.#hasRoom) this.#write(':\n\n')
    else if (++this.#silentHeartbeats >= MAX_SILENT_HEARTBEATS) this.#end('nothing was read for too long')
  }

  end(): void {
    this.#end('the server is stopping')
  }

  #write(text: string): void {
    this.#hasRoom = false
    this.push(text)
  }

  #end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.push(toEvent(this.#cursor.end(reason)))
    this.push(null)
    const deadline = this.#clock.setTimer(() => this.destroy(), END_DEADLINE_MS)
    this.once('close', () => this.#clock.clearTimer(deadline))
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#ended = true
    this.#cursor.close()
    done(error)
  }
}

/** JSON has no line ends, so one `data:` line takes it. */
function toEvent({ sequence, type, json }: FeedLine): string {
  return `id: ${sequence}\nevent: ${type}\ndata: ${json}\n\n`
}
