// A child process as the supervisor has it: started ahead, told to begin once, gone for good afterwards.
import { fork, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { FaultlineError } from '../proxy/errors.ts'
import { HEARTBEAT_MS, type FromChild, type StartMessage, type ToChild } from './child/messages.ts'
import { identifyProcess, signalProcess, type ProcessIdentity } from './machine/process-identity.ts'
import { dyingWithParent } from './machine/programs.ts'
import { programFile, runsFromSource } from './own-file.ts'

/**
 * GNU's allocator then asks for huge pages. When a process is killed, the kernel takes 4 GiB of them back in 80 ms instead
 * of 350: with much memory that is most of the time that a stop takes. Ignored where the allocator or the kernel knows no
 * such thing.
 */
const HUGE_PAGES = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' } as const

/** To load a few modules and start some threads takes a tenth of a second on a quiet machine. */
const READY_DEADLINE_MS = 20_000
/** What is kept of a child's last words. */
const MAX_WORDS = 2000

/** Asked once: which programs there are does not change. */
let deathSignal: Promise<readonly string[]> | undefined

export class StressorProcess {
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
  #onMessage: (message: FromChild) => void = () => undefined
  readonly #child: ChildProcess
  readonly #identity: ProcessIdentity | undefined
  #words = ''
  #gone = false
  #heartbeat: NodeJS.Timeout | undefined

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#identity = child.pid === undefined ? undefined : identifyProcess(child.pid)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-MAX_WORDS)
    })
    child.on('message', (message: FromChild) => this.#onMessage(message))
    this.exited = new Promise((resolve) => {
      const leave = (): void => {
        this.#gone = true
        clearInterval(this.#heartbeat)
        resolve()
      }
      // Its last message may still be in the channel.
      child.once('exit', () => (child.connected ? child.once('disconnect', leave) : leave()))
      child.on('error', (error) => {
        this.#words += error.message
        if (child.pid === undefined) leave() // it could not be started
      })
    })
  }

  /**
   * Starts a process that waits. It does not keep this one from ending.
   *
   * @param undoes see {@link StressorDefinition.undoes}
   * @param signal kills it while it is not ready; afterwards it is the caller's
   * @throws FaultlineError `stressor_failed`
   */
  static async start(undoes: boolean, signal: AbortSignal): Promise<StressorProcess> {
    const program = programFile('child', 'main')
    if (!existsSync(program)) {
      throw failed(`its program ${program} is missing: a bundler has to leave this package out`)
    }
    const [wrapper, ...wrapped] = undoes ? [] : await (deathSignal ??= dyingWithParent())
    if (signal.aborted) throw failed('it was stopped before its process was started')
    // From source, children need what has taught this process to read TypeScript; else nothing that is meant for it.
    const options = runsFromSource() ? process.execArgv : []
    const started = new StressorProcess(
      fork(program, [String(process.pid), undoes ? 'unprepared' : 'prepared'], {
        ...(wrapper !== undefined && { execPath: wrapper }),
        execArgv: wrapper === undefined ? options : [...wrapped, process.execPath, ...options],
        env: { PATH: process.env['PATH'], ...HUGE_PAGES },
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      }),
    )
    const kill = (): void => started.kill()
    signal.addEventListener('abort', kill)
    try {
      await started.#ready()
    } finally {
      signal.removeEventListener('abort', kill)
    }
    if (!started.#gone) started.unref()
    return started
  }

  async #ready(): Promise<void> {
    let deadline: NodeJS.Timeout | undefined
    const outcome = await Promise.race([
      this.exited.then(() => 'exited' as const),
      new Promise<'ready'>((resolve) => {
        this.#onMessage = (message) => {
          if (message.kind === 'ready') resolve('ready')
          if (message.kind === 'ended') this.#words += message.message ?? ''
        }
      }),
      new Promise<'late'>((resolve) => {
        deadline = setTimeout(resolve, READY_DEADLINE_MS, 'late')
      }),
    ])
    clearTimeout(deadline)
    if (outcome === 'ready') return
    this.kill()
    throw failed(outcome === 'late' ? `its process was not ready after ${READY_DEADLINE_MS} ms` : this.lastWords)
  }

  get gone(): boolean {
    return this.#gone
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** What it wrote to stderr at the end, or how it ended. */
  get lastWords(): string {
    const { exitCode, signalCode } = this.#child
    return this.#words.trim() || `its process ended with ${signalCode ?? exitCode ?? 'an unknown code'}`
  }

  begin(message: Omit<StartMessage, 'kind'>, onMessage: (message: FromChild) => void): void {
    this.#onMessage = onMessage
    this.ref()
    this.#heartbeat = setInterval(() => this.#send({ kind: 'heartbeat' }), HEARTBEAT_MS)
    this.#send({ kind: 'start', ...message })
  }

  /** Tells it to let go and end; resolves when it has: by its own, or after `deadlineMs` by force. */
  async stop(deadlineMs: number): Promise<void> {
    this.#send({ kind: 'stop' })
    const deadline = setTimeout(() => this.kill(), deadlineMs)
    await this.exited
    clearTimeout(deadline)
  }

  kill(): void {
    this.ref() // whoever kills it waits for its end
    if (this.#gone) return
    if (this.#identity) signalProcess(this.#identity, 'SIGKILL')
    else this.#child.kill('SIGKILL') // where start times can't be had; Node knows its own children until they are gone
  }

  #send(message: ToChild): void {
    // It may be on its way out: `exited` tells that, an error here would tell it twice.
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  private ref(): void {
    this.#child.ref()
    this.#child.channel?.ref()
  }

  private unref(): void {
    this.#child.unref()
    this.#child.channel?.unref()
    const { stderr } = this.#child
    if (stderr && 'unref' in stderr && typeof stderr.unref === 'function') stderr.unref()
  }
}

export function failed(message: string): FaultlineError {
  return new FaultlineError('stressor_failed', `the stressor failed: ${message}`)
}
