// Brings the figures of a run to a Prometheus Pushgateway, where they stay after the run is gone.
import { request } from 'undici'
import type { Journal } from '../model.ts'
import { describeFailure } from '../probes/failure.ts'
import { basicAuthentication, parseUrl } from '../probes/http.ts'
import type { MetricNames } from './metric-names.ts'
import { METRICS_CONTENT_TYPE, renderMetrics } from './metrics.ts'

export interface PushOptions {
  /** Default 10,000. */
  readonly timeoutMs?: number
  /** Default `lint`. */
  readonly metricNames?: MetricNames | undefined
}

const DEFAULT_TIMEOUT_MS = 10_000
/** Of what a server says against it. */
const MAX_ANSWER_CHARACTERS = 500

/**
 * Replaces what the gateway has of this experiment in this environment.
 *
 * Its group is job `faultline`, `experiment` and `environment`: `PUT /metrics/job/faultline/experiment/…/environment/…`
 * (Pushgateway's README, section API). A user and password in the URL are sent as basic authentication.
 *
 * @param url of the gateway, e.g. `http://pushgateway:9091`; may have a path
 * @throws FaultlineError `invalid_value` naming `url`; Error if the gateway can't be reached or refuses
 */
export async function pushMetrics(journal: Journal, url: string, options: PushOptions = {}): Promise<void> {
  const target = groupUrl(url, journal)
  const signal = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS)
  const headers = { 'content-type': METRICS_CONTENT_TYPE, ...basicAuthentication(target) }
  const body = await renderMetrics(journal, options.metricNames)
  try {
    const answer = await request(target, { method: 'PUT', headers, body, signal })
    const text = await answer.body.text()
    if (answer.statusCode >= 200 && answer.statusCode <= 299) return
    throw new Error(`status ${answer.statusCode}: ${text.trim().slice(0, MAX_ANSWER_CHARACTERS)}`)
  } catch (error) {
    const reason = signal.aborted
      ? `no answer in ${options.timeoutMs ?? DEFAULT_TIMEOUT_MS} ms`
      : describeFailure(error)
    // An origin has no password in it.
    throw new Error(`could not push metrics to ${target.origin}: ${reason}`, { cause: error })
  }
}

function groupUrl(url: string, { title, environment }: Journal): URL {
  const target = parseUrl(url)
  const group = ['job/faultline', label('experiment', title), label('environment', environment)]
  target.pathname = [target.pathname.replace(/\/+$/, ''), 'metrics', ...group].join('/')
  return target
}

/** As base64 what no path can have in one part: a slash, dots that lead elsewhere, nothing at all (for which `=` stands). */
function label(name: string, text: string): string {
  const value = text.toWellFormed()
  if (!value.includes('/') && !/^\.{0,2}$/.test(value)) return `${name}/${encodeURIComponent(value)}`
  return `${name}@base64/${Buffer.from(value).toString('base64url') || '='}`
}
