// Tells webhooks how a run goes. Nothing of the run waits for them, but its very end; and that not for long.
import { setTimeout as sleep } from 'node:timers/promises'
import { request } from 'undici'
import type { Webhook } from '../file/experiment.ts'
import type { NotificationEvent, NotificationRecord } from '../model.ts'
import { describeFailure } from '../probes/failure.ts'
import { basicAuthentication, parseUrl } from '../probes/http.ts'
import type { RunEvent } from './run-event.ts'

/** What is sent, as JSON. */
export interface Notification {
  readonly event: NotificationEvent
  /** All of it in a sentence: what chat systems show of a webhook. */
  readonly text: string
  readonly title: string
  /** Of the run, as in its journal. */
  readonly id: string
  readonly environment: string
  readonly state: 'running' | 'stopping' | 'ended'
  readonly phase: string | null
  /** Null until it has ended. */
  readonly outcome: string | null
  readonly reason: string | null
  /** Once it has ended. */
  readonly verdicts: readonly { readonly slo: string; readonly result: string; readonly why: string }[]
  /** ISO 8601. */
  readonly time: string
  /** Milliseconds since the run's begin. */
  readonly atMs: number
}

export interface NotifierOptions {
  readonly webhooks: readonly Webhook[]
  readonly run: Pick<Notification, 'title' | 'id' | 'environment'>
  /** The time of day, in milliseconds since the Unix epoch. */
  readonly wallTimeMs: () => number
  /** One has arrived, or has not. */
  readonly onRecord: (record: NotificationRecord) => void
  /** Of one attempt. Default 5000. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 5000
const RETRY_PAUSE_MS = 500

/** In the end: the time of an attempt and a little. */
const SETTLE_MS = 6000
/** If somebody waits for the end, such as a server that stops: what is sent by then has to do. */
const SETTLE_INTERRUPTED_MS = 2000

type Told = Pick<Notification, 'event' | 'state' | 'atMs'> &
  Partial<Pick<Notification, 'reason' | 'outcome' | 'verdicts'>>

export class Notifier {
  readonly #options: NotifierOptions
  readonly #records: NotificationRecord[] = []
  readonly #giveUp = new AbortController()
  /** Of each webhook: what has been said before is told first. */
  readonly #tails = new Map<Webhook, Promise<void>>()
  #phase: string | null = null

  constructor(options: NotifierOptions) {
    this.#options = options
  }

  /** Returns at once, whatever becomes of it. */
  heard(event: RunEvent): void {
    if (this.#options.webhooks.length === 0) return
    switch (event.kind) {
      case 'phase':
        this.#phase = event.phase
        if (event.phase === 'preparation') this.#tell({ event: 'started', state: 'running', atMs: event.atMs })
        return this.#tell({ event: 'phase', state: 'running', atMs: event.atMs })
      case 'breached':
        return this.#tell({ event: 'breached', state: 'stopping', atMs: event.atMs, reason: event.reason })
      case 'stopping':
        return this.#tell({ event: 'stopped', state: 'stopping', atMs: event.atMs, reason: event.reason })
      case 'finished': {
        const { outcome, reason = null, verdicts } = event.journal
        this.#phase = null
        const short = verdicts.map(({ slo, result, why }) => ({ slo, result, why }))
        return this.#tell({ event: 'finished', state: 'ended', atMs: event.atMs, outcome, reason, verdicts: short })
      }
      default:
    }
  }

  /**
   * Waits for what is under way, but not for long.
   *
   * @returns what became of all of them, in the order in which that was known
   */
  async settle(isInterrupted: boolean): Promise<readonly NotificationRecord[]> {
    const limit = setTimeout(() => this.#giveUp.abort(), isInterrupted ? SETTLE_INTERRUPTED_MS : SETTLE_MS)
    await Promise.all(this.#tails.values())
    clearTimeout(limit)
    return this.#records
  }

  #tell({ event, state, atMs, reason = null, outcome = null, verdicts = [] }: Told): void {
    const { webhooks, run, wallTimeMs } = this.#options
    const what = outcome ?? (event === 'phase' ? `phase ${this.#phase}` : event)
    const notification: Notification = {
      event,
      text: `${run.title}: ${what}${reason === null ? '' : `: ${reason}`}`,
      ...run,
      state,
      phase: this.#phase,
      outcome,
      reason,
      verdicts,
      time: new Date(wallTimeMs()).toISOString(),
      atMs,
    }
    for (const webhook of webhooks) {
      if (!webhook.on.includes(event)) continue
      const before = this.#tails.get(webhook) ?? Promise.resolve()
      this.#tails.set(
        webhook,
        before.then(() => this.#send(webhook, notification)),
      )
    }
  }

  async #send({ url }: Webhook, notification: Notification): Promise<void> {
    const target = parseUrl(url)
    const body = JSON.stringify(notification)
    let attempts = 1
    let failure = await this.#post(target, body)
    if (failure?.mayPass === true && (await this.#pause())) {
      attempts++
      failure = await this.#post(target, body)
    }
    const { event, atMs } = notification
    // Paths of webhooks are often their secret.
    const record = { event, webhook: target.origin, atMs, attempts, ...(failure && { error: failure.reason }) }
    this.#records.push(record)
    this.#options.onRecord(record)
  }

  /** @returns false: it is over */
  #pause(): Promise<boolean> {
    return sleep(RETRY_PAUSE_MS, true, { signal: this.#giveUp.signal }).catch(() => false)
  }

  /** @returns why it did not arrive, or undefined */
  async #post(target: URL, body: string): Promise<Failure | undefined> {
    const { timeoutMs = TIMEOUT_MS } = this.#options
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([timeout, this.#giveUp.signal])
    const headers = { 'content-type': 'application/json', ...basicAuthentication(target) }
    try {
      signal.throwIfAborted()
      const answer = await request(target, { method: 'POST', headers, body, signal })
      await answer.body.dump()
      const { statusCode: status } = answer
      if (status >= 200 && status <= 299) return undefined
      return { reason: `status ${status}, expected 200 to 299`, mayPass: status >= 500 || status === 429 }
    } catch (error) {
      if (this.#giveUp.signal.aborted) return { reason: 'no answer when the run was over', mayPass: false }
      return { reason: timeout.aborted ? `no answer in ${timeoutMs} ms` : describeFailure(error), mayPass: true }
    }
  }
}

interface Failure {
  readonly reason: string
  /** Another attempt may do. */
  readonly mayPass: boolean
}
