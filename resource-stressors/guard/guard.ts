// The guard of a load that has to undo something, as the load has it: a process that outlives the load's, and its parent's.
import { fork, type ChildProcess } from 'node:child_process'
import { HEARTBEAT_MS } from '../child/messages.ts'
import { readText } from '../machine/files.ts'
import { identifyProcess } from '../machine/process-identity.ts'
import { programFile, runsFromSource } from '../own-file.ts'
import type { FromGuard, Guarded, ToGuard } from './messages.ts'
import type { UndoingType, UndoTask } from './undoings.ts'

/** To load a few modules takes a tenth of a second on a quiet machine. */
const ARMED_DEADLINE_MS = 20_000

/**
 * To be armed before anything is done that has to be undone. It undoes that when the process that has armed it is gone, or
 * is silent for a second (then that is killed first), and tries again for a minute where others are needed for it.
 *
 * If the guard itself ends too early, an exception ends the load: nothing stays undone for lack of a guard.
 */
export class Guard {
  readonly #process: ChildProcess
  readonly #exited: Promise<void>
  readonly #heartbeat: NodeJS.Timeout
  #dismissed = false

  constructor() {
    const guarded: Guarded = {
      process: identifyProcess(process.pid) ?? null,
      outOfMemoryScore: readText(`/proc/${process.ppid}/oom_score_adj`)?.trim() ?? null,
    }
    // In a session of its own: what is sent to the group of processes, e.g. by a terminal, does not reach it.
    this.#process = fork(programFile('guard', 'main'), [JSON.stringify(guarded)], {
      detached: true,
      execArgv: runsFromSource() ? process.execArgv : [],
      env: { PATH: process.env['PATH'] },
      cwd: '/',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.#exited = new Promise((resolve) => this.#process.once('exit', () => resolve()))
    this.#process.once('exit', (code, signal) => {
      clearInterval(this.#heartbeat)
      if (!this.#dismissed) throw new Error(`its guard process ended with ${signal ?? code ?? 'an unknown code'}`)
    })
    this.#heartbeat = setInterval(() => this.#send({ kind: 'heartbeat' }), HEARTBEAT_MS)
  }

  /** Says what is to be undone, instead of what was said before; resolves when the guard is ready to do it. */
  async arm<Type extends UndoingType>(type: Type, task: UndoTask<Type>): Promise<void> {
    const armed = new Promise((resolve) => this.#process.once('message', (_message: FromGuard) => resolve('armed')))
    const late = new Promise((resolve) => setTimeout(resolve, ARMED_DEADLINE_MS, 'late').unref())
    this.#send({ kind: 'arm', order: { type, task } })
    const outcome = await Promise.race([armed, late, this.#exited])
    if (outcome === 'armed') return
    throw new Error(`its guard process ${outcome === 'late' ? `took more than ${ARMED_DEADLINE_MS} ms` : 'has ended'}`)
  }

  /** All has been undone. Resolves when the guard is gone. */
  async dismiss(): Promise<void> {
    this.#dismissed = true
    this.#send({ kind: 'dismiss' })
    await this.#exited
  }

  #send(message: ToGuard): void {
    // If it is on its way out, its exit tells.
    if (this.#process.connected) this.#process.send(message, () => undefined)
  }
}
