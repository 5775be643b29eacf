// Asks a Prometheus server an instant query that comes to one number.
// Source: Prometheus documentation, "HTTP API", "Instant queries" and "Expression query result formats".
import type { Clock } from '../../proxy/clock.ts'
import { describeValue } from '../../proxy/validate.ts'
import { BoundedProbe } from './bounded-probe.ts'
import { compileComparison, type Comparison } from './expectations.ts'
import { HttpClient, parseUrl } from './http.ts'
import type { TlsOptions } from './http-connections.ts'
import { invalidField } from './invalid.ts'
import type { Probe, ProbeSettings } from './probe.ts'

export interface PromqlProbeSpec extends ProbeSettings {
  readonly kind: 'promql'
  /** Of the server, with the prefix that it is served under, e.g. `http://localhost:9090`. */
  readonly url: string
  /** Has to come to a scalar, or to a vector of one sample: `sum(rate(errors_total[1m]))`. */
  readonly query: string
  readonly headers?: Readonly<Record<string, string>>
  readonly tls?: TlsOptions
  /** Without it, any number will do. */
  readonly expect?: { readonly value: Comparison }
}

/** @throws FaultlineError `invalid_value` naming the field */
export function createPromqlProbe(spec: PromqlProbeSpec, clock: Clock): Probe {
  if (spec.query.trim() === '') throw invalidField('query', 'a PromQL query', spec.query)
  const compare = spec.expect && compileComparison(spec.expect.value, 'expect.value')
  const client = new HttpClient(spec)
  const prefix = parseUrl(spec.url).pathname.replace(/\/$/, '')
  const path = `${prefix}/api/v1/query?${new URLSearchParams({ query: spec.query }).toString()}`
  return new BoundedProbe(spec, clock, {
    async look(signal) {
      const { status, body } = await client.ask(path, signal)
      const answer = readAnswer(status, body)
      if (typeof answer === 'string') return { good: false, reason: answer }
      const { value } = answer
      const reason = Number.isNaN(value) ? 'value NaN, expected a number' : compare?.(value).reason
      const observed = { kind: 'promql', value } as const
      return { good: reason === undefined, ...(reason !== undefined && { reason }), value, observed }
    },
    close: () => client.close(),
  })
}

interface Answer {
  readonly status?: string
  readonly error?: string
  readonly data?: { readonly resultType?: string; readonly result?: unknown }
}

/** The number; or, as a text, why there is none. */
function readAnswer(status: number, body: string): { readonly value: number } | string {
  const answer = parseAnswer(body)
  if (answer?.status === 'error') return `the query failed: ${answer.error}`
  if (status !== 200 || answer?.status !== 'success') return `status ${status} without an answer of Prometheus'`
  const { resultType, result } = answer.data ?? {}
  if (resultType === 'scalar') return sampleValue(result)
  if (resultType !== 'vector' || !Array.isArray(result)) return `a ${resultType}, expected a scalar or a vector`
  if (result.length !== 1) return `${result.length} samples, expected one`
  return sampleValue((result[0] as { readonly value?: unknown } | null)?.value)
}

function parseAnswer(body: string): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(body)
    return typeof answer === 'object' && answer !== null ? answer : undefined
  } catch {
    return undefined
  }
}

/** `[unixTime, "number"]`, where the number may be NaN, +Inf or -Inf. */
function sampleValue(sample: unknown): { readonly value: number } | string {
  const text: unknown = Array.isArray(sample) ? sample[1] : undefined
  if (typeof text !== 'string') return `a sample ${describeValue(sample)}, expected a time and a number`
  return { value: Number(text.replace('Inf', 'Infinity')) }
}
