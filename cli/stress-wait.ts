// `faultline stress TYPE --wait`: follows a stressor to its end. Ctrl-C ends it.
import type { FeedEntryView, StressorView } from '../admin/client/v1-answers.ts'
import type { V1Client } from '../admin/client/v1-client.ts'
import { CommandError } from './errors.ts'
import { printable, type Output } from './output.ts'
import { abortOnSignal } from './shutdown.ts'
import { reachedText } from './stress-views.ts'

/** Ends that are no failure of what was asked for. */
const WANTED_ENDS = new Set(['request', 'expired', 'done'])

export interface WaitOptions {
  /** The feed's sequence before the stressor was started. */
  readonly since: number
  /** What it achieves, once a second. Default: nothing is printed. */
  readonly out?: Output
}

/** @throws CommandError if it ends for another reason than its time, or a request */
export async function waitForEnd(
  client: V1Client,
  { id, name }: StressorView,
  { since, out }: WaitOptions,
): Promise<StressorView> {
  const interrupted = abortOnSignal()
  const over = new AbortController()
  let lost: string | undefined
  interrupted.addEventListener('abort', () => void client.stopStressor(id).catch(() => over.abort()))
  const feed = client.feed({
    types: ['stressor_report', 'stressor_stopped'],
    stressor: id,
    since,
    signal: over.signal,
    broken: (reason) => {
      lost = reason
      over.abort()
    },
  })
  for await (const entry of feed) {
    if (entry.type === 'stressor_stopped') return ended(client, entry, id, name)
    out?.line(printable(`${name}: ${reachedText(entry)}`))
  }
  throw new CommandError(`the server was lost, and ${name} ends with it: ${lost ?? 'it was interrupted'}`)
}

async function ended(client: V1Client, { detail }: FeedEntryView, id: string, name: string): Promise<StressorView> {
  const reason = String(detail['reason'])
  if (WANTED_ENDS.has(reason)) return client.stressor(id)
  const why = detail['message'] === undefined ? '' : `: ${detail['message']}`
  throw new CommandError(`${name} has ended before its time: ${reason}${why}`)
}
