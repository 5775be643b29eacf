// A process that holds open files, as the load has it. It dies with this one: by the kernel, where setpriv is there, and
// because its channel ends.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dyingWithParent } from '../../machine/programs.ts'
import { programFile, runsFromSource } from '../../own-file.ts'
import type { FromHolder, ToHolder } from './holder.ts'

export class HolderProcess {
  /** How many it has, as it last said. */
  held = 0
  /** How often it could not open another one. */
  refused = 0
  /** How many it is to have. */
  wanted = 0
  /** Why it is gone, although nobody has ended it. */
  failure: string | undefined
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  #ending = false
  /** What was asked for, and not answered yet. */
  #pending = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        if (!this.#ending) this.failure = `a process that held open files ended with ${signal ?? code}`
        this.held = 0
        resolve()
      })
      child.on('error', (error) => {
        this.failure = `a process to hold open files: ${error.message}`
        if (child.pid === undefined) resolve()
      })
    })
    child.on('message', ({ held, refused }: FromHolder) => {
      this.held = held
      this.refused = refused
      this.#pending--
    })
  }

  /** Resolves when it can be asked, or has a {@link failure}. */
  static async start(): Promise<HolderProcess> {
    const [wrapper, ...wrapped] = await dyingWithParent()
    const options = runsFromSource() ? process.execArgv : []
    const child = fork(programFile('kinds', 'file-descriptors', 'holder'), [], {
      ...(wrapper !== undefined && { execPath: wrapper }),
      execArgv: wrapper === undefined ? options : [...wrapped, process.execPath, ...options],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    const holder = new HolderProcess(child)
    holder.#pending = 1 // it says that it has none
    await Promise.race([once(child, 'message'), holder.#exited])
    return holder
  }

  /** Whether it has done all that it was asked to. */
  get isSettled(): boolean {
    return this.#pending === 0
  }

  hold(wanted: number): void {
    if (wanted === this.wanted && this.held === wanted) return
    if (!this.isSettled && wanted === this.wanted) return
    this.wanted = wanted
    this.#pending++
    const message: ToHolder = { wanted }
    if (this.#child.connected) this.#child.send(message, () => undefined) // an error is followed by the exit, which tells
  }

  /** Resolves when it is gone, and all its files are closed. */
  async end(): Promise<void> {
    this.#ending = true
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}
