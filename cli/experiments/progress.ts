// Shows how a run goes: on a terminal in one line that changes, else a line for each phase and step.
import type { RunEvent } from '../../experiments/runner/run.ts'
import type { Attempt, StepRecord } from '../../experiments/model.ts'
import { formatDuration, formatShare } from '../../experiments/file/units.ts'
import { printable, type TextStream } from '../output.ts'

const ESCAPE = String.fromCharCode(0x1b)
const CLEAR_LINE = `\r${ESCAPE}[K`
/** What the live figures are of. */
const WINDOW_MS = 5000
const REDRAW_MS = 250

function wordFor({ kind, undoneMs, keptUntilMs }: StepRecord): string {
  if (kind === 'check') return 'checked'
  if (keptUntilMs !== undefined) return 'left as it is'
  return undoneMs === undefined ? 'begun' : 'undone'
}

export class Progress {
  readonly #stream: TextStream
  readonly #isVerbose: boolean
  readonly #recent: Attempt[] = []
  readonly #beginMs = performance.now()
  #phase: { readonly name: string; readonly endsMs: number } | undefined
  #drawnMs = -Infinity

  constructor(stream: TextStream, { isVerbose }: { readonly isVerbose: boolean }) {
    this.#stream = stream
    this.#isVerbose = isVerbose
  }

  readonly onEvent = (event: RunEvent): void => {
    switch (event.kind) {
      case 'queued':
        if (event.ahead > 0) this.#line(0, `waits for its turn: ${event.ahead} to end before`)
        break
      case 'breached': // the line for `stopping` says the same
      case 'finished':
        break
      case 'notification': {
        const { event: what, webhook, atMs, error } = event.record
        if (error !== undefined) this.#line(atMs, `warning: ${webhook} was not told of ${what}: ${error}`)
        break
      }
      case 'phase': {
        this.#phase = { name: event.phase, endsMs: event.atMs + event.expectedMs }
        const atMost = event.expectedMs > 0 ? `, ${formatDuration(event.expectedMs)}` : ''
        this.#line(event.atMs, `${event.phase}${atMost}`)
        break
      }
      case 'step': {
        const { name, appliedMs, undoneMs, error } = event.step
        const what = wordFor(event.step)
        this.#line(undoneMs ?? appliedMs, `  ${name}: ${error ?? what}`)
        break
      }
      case 'attempt':
        this.#attempted(event.attempt)
        break
      case 'machine':
        if (this.#isVerbose) this.#machine(event.sample)
        break
      case 'metric': {
        const { atMs, name, value } = event.sample
        if (this.#isVerbose) this.#line(atMs, `  ${name}: ${value}`)
        break
      }
      case 'stopping':
        this.#line(event.atMs, `stopping: ${event.reason}`)
        break
      case 'reverted':
        this.#line(event.atMs, event.kept.length === 0 ? 'everything is reverted' : 'the rest is reverted')
        break
    }
  }

  /** The line that changes goes away. */
  end(): void {
    if (this.#stream.isTTY === true) this.#stream.write(CLEAR_LINE)
  }

  #attempted(attempt: Attempt): void {
    const { intendedMs, latencyMs, probe, outcome, reason } = attempt
    if (this.#isVerbose && outcome !== 'good') {
      this.#line(intendedMs + latencyMs, `  ${probe}: ${outcome}${reason === undefined ? '' : `, ${reason}`}`)
    }
    this.#recent.push(attempt)
    while (this.#recent[0] && this.#recent[0].intendedMs < intendedMs - WINDOW_MS) this.#recent.shift()
    this.#draw(intendedMs + latencyMs)
  }

  #machine({ atMs, cpu, memory, eventLoopLagMs }: Extract<RunEvent, { kind: 'machine' }>['sample']): void {
    const lag = `timers ${Math.round(eventLoopLagMs)} ms late`
    this.#line(atMs, `  this machine: CPU ${formatShare(cpu)}, memory ${formatShare(memory)}, ${lag}`)
  }

  /** Phase, time left, error rate and p95 of the last seconds. */
  #draw(atMs: number): void {
    const nowMs = performance.now() - this.#beginMs
    if (this.#stream.isTTY !== true || !this.#phase || nowMs - this.#drawnMs < REDRAW_MS) return
    this.#drawnMs = nowMs
    const leftMs = Math.max(0, this.#phase.endsMs - atMs)
    const failed = this.#recent.filter(({ outcome }) => outcome !== 'good').length
    const sorted = this.#recent.map(({ latencyMs }) => latencyMs).sort((a, b) => a - b)
    const p95Ms = sorted[Math.max(0, Math.ceil(0.95 * sorted.length) - 1)] ?? 0
    const figures = `errors ${formatShare(failed / this.#recent.length)}, p95 ${formatDuration(p95Ms)}`
    const left = leftMs >= 1000 ? `, ${formatDuration(Math.round(leftMs / 1000) * 1000)} left` : ''
    this.#stream.write(`${CLEAR_LINE}${this.#phase.name}${left}: ${figures}`)
  }

  #line(atMs: number, text: string): void {
    const seconds = (atMs / 1000).toFixed(1).padStart(7)
    const clear = this.#stream.isTTY === true ? CLEAR_LINE : ''
    this.#stream.write(`${clear}${seconds} s  ${printable(text)}\n`)
  }
}
