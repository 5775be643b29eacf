// Processes that are stopped for a share of the time.
import type { RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import type { StoppedProcesses } from './stopped-processes.ts'

/** Timers are no finer; what is left over is made up for later. */
const MIN_STOP_MS = 1

/**
 * Each period begins with the stop. How long it took in truth is measured, as timers come late: what was too much or too
 * little is taken from the next ones, at most a period.
 */
export class DutyCycle implements RunningLoad {
  readonly #processes: StoppedProcesses
  readonly #share: number
  readonly #periodMs: number
  #ramp = 0
  #timer: NodeJS.Timeout | undefined
  /** When the period began that goes on. */
  #beginMs: number
  /** How long they should have been stopped and were not; below 0: have been and should not. */
  #debtMs = 0
  /** Of whole periods since the last report. */
  #elapsedMs = 0
  #stoppedMs = 0
  #stoppedPercent = 0

  constructor(processes: StoppedProcesses, share: number, periodMs: number) {
    this.#processes = processes
    this.#share = share
    this.#periodMs = periodMs
    this.#beginMs = performance.now()
    this.#run(() => this.#stop(), 0)
  }

  ramp(share: number): void {
    this.#ramp = share
  }

  #run(step: () => void, inMs: number): void {
    this.#timer = setTimeout(step, Math.max(0, inMs))
  }

  get #shareNow(): number {
    return this.#share * this.#ramp
  }

  #stop(): void {
    const wantedMs = Math.min(this.#periodMs, this.#shareNow * this.#periodMs + this.#debtMs)
    if (wantedMs < MIN_STOP_MS) {
      this.#leave(0)
      return
    }
    this.#processes.stopAll()
    const stoppedMs = performance.now()
    this.#run(() => this.#continue(stoppedMs), wantedMs)
  }

  #continue(sinceMs: number): void {
    const { there, stopped } = this.#processes.census()
    this.#processes.continueAll()
    const isStopped = there > 0 ? stopped / there : 0
    this.#leave((performance.now() - sinceMs) * isStopped)
  }

  /** Waits for the next period: by the clock, unless that is past. */
  #leave(stoppedMs: number): void {
    const endMs = Math.max(this.#beginMs + this.#periodMs, performance.now())
    const lengthMs = endMs - this.#beginMs
    const debtMs = this.#debtMs + this.#shareNow * lengthMs - stoppedMs
    this.#debtMs = Math.max(-this.#periodMs, Math.min(this.#periodMs, debtMs))
    this.#elapsedMs += lengthMs
    this.#stoppedMs += stoppedMs
    this.#beginMs = endMs
    this.#run(() => this.#stop(), endMs - performance.now())
  }

  /** Periods may be longer than the second from one report to the next: then the last one counts. */
  progress(): Progress {
    if (this.#elapsedMs > 0) this.#stoppedPercent = Math.round((this.#stoppedMs / this.#elapsedMs) * 1000) / 10
    this.#elapsedMs = this.#stoppedMs = 0
    return {
      requested: { processes: this.#processes.count, stoppedPercent: this.#shareNow * 100 },
      achieved: { processes: this.#processes.census().there, stoppedPercent: this.#stoppedPercent },
    }
  }

  finished(): string | undefined {
    return this.#processes.finished()
  }

  stop(): Promise<void> {
    clearTimeout(this.#timer)
    return this.#processes.release()
  }
}
