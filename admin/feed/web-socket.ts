// The feed over a WebSocket: each entry a text frame of JSON. What the client sends is of no interest.
import type { WebSocket } from '@fastify/websocket'
import type { Clock } from '../../proxy/index.ts'
import type { FeedCursor } from './cursor.ts'
import type { Feed, FeedReader } from './feed.ts'
import type { FeedFilter } from './filter.ts'

/** Frames of clients: pongs and close frames are far below. */
export const MAX_CLIENT_FRAME_BYTES = 4096

/** Codes of RFC 6455 section 7.4.1. */
const GOING_AWAY = 1001
const POLICY_VIOLATION = 1008

/** What a client has for answering a close frame. */
const CLOSE_DEADLINE_MS = 5000

export class FeedSocket implements FeedReader {
  readonly #socket: WebSocket
  readonly #clock: Clock
  readonly #cursor: FeedCursor
  #isSending = false
  /** Whether a ping is without its answer. */
  #isAwaitingPong = false
  #ended = false

  constructor(socket: WebSocket, feed: Feed, clock: Clock, filter: FeedFilter, since: number | undefined) {
    this.#socket = socket
    this.#clock = clock
    this.#cursor = feed.read(this, filter, since)
    socket.on('pong', () => (this.#isAwaitingPong = false))
    socket.once('close', () => {
      this.#ended = true
      this.#cursor.close()
    })
    this.wake()
  }

  /** Sends one batch; the next when it has left. */
  wake(): void {
    if (this.#isSending || this.#ended) return
    const lines = this.#cursor.take()
    const last = lines.length - 1
    for (const [index, { json }] of lines.entries()) {
      if (index < last) this.#socket.send(json)
      else this.#sendLast(json)
    }
  }

  #sendLast(json: string): void {
    this.#isSending = true
    this.#socket.send(json, (error) => {
      this.#isSending = false
      if (!error) this.wake()
    })
  }

  heartbeat(): void {
    if (this.#isAwaitingPong) this.#end(POLICY_VIOLATION, 'no answer to a ping: nothing was read for too long')
    if (this.#ended) return
    this.#isAwaitingPong = true
    this.#socket.ping()
  }

  end(): void {
    this.#end(GOING_AWAY, 'the server is stopping')
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#socket.close(code, reason)
    const deadline = this.#clock.setTimer(() => this.#socket.terminate(), CLOSE_DEADLINE_MS)
    this.#socket.once('close', () => this.#clock.clearTimer(deadline))
  }
}
