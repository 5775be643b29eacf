// What a probe is: asked once, it says whether what it looks at is well. When it is asked is the schedule's matter.
import type { HttpProbeSpec } from './http.ts'
import type { ProcessProbeSpec } from './process.ts'
import type { PromqlProbeSpec } from './promql.ts'
import type { SqlProbeSpec } from './sql.ts'
import type { TcpProbeSpec } from './tcp.ts'

/** What every kind of probe has. */
export interface ProbeSettings {
  /** Stands in reports. */
  readonly name: string
  /** From the start of a run; then it is a failure, `timeout`. Default 5000. */
  readonly timeoutMs?: number
}

/** A probe as plain data. */
export type ProbeSpec = HttpProbeSpec | TcpProbeSpec | ProcessProbeSpec | SqlProbeSpec | PromqlProbeSpec

/** What a probe was answered, by its kind. Texts are UTF-8. */
export type Observed =
  | {
      readonly kind: 'http'
      readonly status: number
      readonly headers: Readonly<Record<string, string>>
      readonly body: string
    }
  | { readonly kind: 'tcp'; readonly received: string }
  | {
      readonly kind: 'process'
      /** Null: killed by a signal. */
      readonly exitCode: number | null
      readonly signal: string | null
      readonly stdout: string
      readonly stderr: string
    }
  | { readonly kind: 'sql'; readonly rows: readonly Readonly<Record<string, unknown>>[] }
  | { readonly kind: 'promql'; readonly value: number }

export interface ProbeAnswer {
  readonly good: boolean
  /** Why it is not good: `timeout`, `given up`, `ECONNREFUSED`, `status 503, expected 200`. */
  readonly reason?: string
  /** Undefined: there was no whole answer. */
  readonly observed?: Observed
  /** The number it is about, where there is one: of a query, of a JSON path, of a program's output. */
  readonly value?: number
}

export interface Probe extends AsyncDisposable {
  readonly name: string
  /**
   * Asks once. Whatever is wrong with what it looks at is an answer, not an error. Runs may overlap, and none waits for
   * another.
   *
   * @param signal gives the run up, which ends it at once: `given up`
   * @throws Error after {@link Probe.close}
   */
  run(signal: AbortSignal): Promise<ProbeAnswer>
  /** Gives up what is under way and leaves no socket or process behind. */
  close(): Promise<void>
}

/** Longer answers (bodies, outputs, rows) are failures. */
export const MAX_ANSWER_BYTES = 1024 * 1024

export const DEFAULT_TIMEOUT_MS = 5000
