// A process that stressors act on, and a look at its state from outside.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

/** Sleeps. Killed at the end of the block. */
export class TargetProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly #exited: Promise<unknown[]>

  /** @param name what it seems to be started as; default `sleep` */
  constructor(name = 'sleep', uid?: number) {
    this.child = spawn('sleep', ['60'], { argv0: name, stdio: 'ignore', ...(uid !== undefined && { uid }) })
    this.#exited = once(this.child, 'exit')
  }

  get pid(): number {
    return this.child.pid!
  }

  get isStopped(): boolean {
    return stateLetter(this.pid) === 'T'
  }

  /** The signal that it ended by. */
  async signal(): Promise<unknown> {
    const [, signal] = await this.#exited
    return signal
  }

  /** Share of the looks, one a millisecond or two, that found it stopped. */
  async stoppedShare(forMs: number): Promise<number> {
    let looks = 0
    let stopped = 0
    for (const endMs = performance.now() + forMs; performance.now() < endMs; await delay(1)) {
      looks++
      if (this.isStopped) stopped++
    }
    return stopped / looks
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#exited
  }
}

/** proc_pid_stat(5); the name in parentheses may contain anything. */
function stateLetter(pid: number): string | undefined {
  return readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '')[0]
}
