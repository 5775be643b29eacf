// Follows the feed of a server (GET /v1/events as server-sent events), through lost connections and restarts.
import { setTimeout as sleep } from 'node:timers/promises'
import { isAdminClientError } from './client-error.ts'
import { EventStreamParser } from './server-sent-events.ts'
import type { Transport } from './transport.ts'
import { isFeedEntry, isStatus, type FeedEntryView, type StatusView } from './v1-answers.ts'

export interface FeedOptions {
  /** Only events of these types. Default: those that the server sends without being asked. */
  readonly types?: readonly string[] | undefined
  /** Only events of this proxy. */
  readonly proxy?: string | undefined
  /** Only events of this stressor, by id or name. */
  readonly stressor?: string | undefined
  /** Only events of this experiment, by its id. */
  readonly experiment?: string | undefined
  /** Begins with what came after this sequence. Default: with what happens from now on. */
  readonly since?: number | undefined
  /** Ends it, without an error. */
  readonly signal: AbortSignal
  /** The connection stands, for the first time or again; what the server had to say of itself right before. */
  connected?(status: StatusView): void
  /** The connection broke; another one is tried after so many milliseconds. */
  broken?(reason: string, retryMs: number): void
}

/** A server with nothing to tell sends a comment every 15 s; without three of them the connection is dead. */
const SILENCE_MS = 45_000

const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 5000

/** @throws AdminClientError if the first connection can't be had, or if a later one is refused for good */
export async function* readFeed(transport: Transport, options: FeedOptions): AsyncGenerator<FeedEntryView, void> {
  const { signal } = options
  let startedMs: number | undefined
  let since = options.since
  let retryMs = FIRST_RETRY_MS
  let wasConnected = false
  while (!signal.aborted) {
    let reason = 'the feed broke off'
    try {
      const status = await readStatus(transport)
      // A number even if it is "now": what happens while the connection is broken must not be missed.
      since ??= status.events
      if (startedMs !== undefined && startedMs !== status.startedMs) since = 0 // of another server, all is new
      startedMs = status.startedMs
      const bytes = await transport.stream(feedPath(options), feedHeaders(since), SILENCE_MS, signal)
      wasConnected = true
      options.connected?.(status)
      const parser = new EventStreamParser()
      for await (const chunk of bytes) {
        retryMs = FIRST_RETRY_MS
        for (const { data } of parser.push(chunk)) {
          const entry = readEntry(transport, data)
          since = entry.sequence
          if (entry.type === 'end') reason = `the server ended the feed: ${entry.detail['reason']}`
          else yield entry
        }
      }
    } catch (error) {
      if (signal.aborted) return
      if (!wasConnected || isFinal(error)) throw error
      reason = error instanceof Error ? error.message : String(error)
    }
    options.broken?.(reason, retryMs)
    await sleep(retryMs, undefined, { signal }).catch(() => undefined) // aborted: the loop ends
    retryMs = Math.min(2 * retryMs, MAX_RETRY_MS)
  }
}

async function readStatus(transport: Transport): Promise<StatusView> {
  const { body } = await transport.call('GET', '/v1/status')
  if (isStatus(body)) return body
  throw transport.badAnswer('GET /v1/status', "Faultline's API")
}

function feedPath({ types, proxy, stressor, experiment }: FeedOptions): string {
  const query = new URLSearchParams()
  if (types) query.set('types', types.join(','))
  if (proxy !== undefined) query.set('proxy', proxy)
  if (stressor !== undefined) query.set('stressor', stressor)
  if (experiment !== undefined) query.set('experiment', experiment)
  return `/v1/events${query.size > 0 ? `?${query.toString()}` : ''}`
}

function feedHeaders(since: number): Record<string, string> {
  return { accept: 'text/event-stream', 'last-event-id': String(since) }
}

function readEntry(transport: Transport, data: string): FeedEntryView {
  const entry = parseJson(data)
  if (isFeedEntry(entry)) return entry
  throw transport.badAnswer('GET /v1/events', "Faultline's API")
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What will not become better by itself: a refusal, unless the server is stopping or has too many clients. */
function isFinal(error: unknown): boolean {
  if (!isAdminClientError(error)) return false
  const { code, status } = error
  return code === 'bad_answer' || (code === 'refused' && status !== 503 && status !== 429)
}
