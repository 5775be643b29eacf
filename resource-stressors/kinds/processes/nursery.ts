// A shell that has sleeping processes, cheap copies of itself. Each of them waits for a line, or for the end, of one pipe
// that they all share, and whose other end is this process's alone. So they end when this process does, however it does,
// without anybody's help; and a line ends one of them, without a signal and without a pid that could be somebody else's.
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { readText } from '../../machine/files.ts'
import { killGroup } from '../../machine/process-group.ts'
import { SHELL } from './supplies.ts'

/** Reads how many to start; answers when they are there. `jobs` takes note of those that have ended: no zombie is left. */
const SCRIPT = `
while read -r count; do
  while [ "$count" -gt 0 ]; do
    (read -r line <&3) &
    count=$((count - 1))
  done
  jobs > /dev/null
  echo done
done
wait`

/** After its pipes have ended, the shell waits for its processes: thousands take seconds. */
const END_DEADLINE_MS = 250
/** What is kept of a shell's last words. */
const MAX_WORDS = 500

export class Nursery {
  /** Why it is gone, although nobody has ended it. */
  failure: string | undefined
  readonly #shell: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lifeline: Writable
  readonly #exited: Promise<void>
  #words = ''
  #ending = false
  #busy = false
  /** More than these are not to be there any more: some that were told to end may not have. */
  #atMost = Infinity

  constructor() {
    // Of a group of its own: all can be killed at once, and Ctrl-C is the supervisor's affair.
    const shell = spawn(SHELL, ['-c', SCRIPT, 'faultline stressor: processes'], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      detached: true,
    })
    this.#shell = shell
    this.#lifeline = shell.stdio[3] as Writable
    // Whoever can't be written to has ended, and the exit tells.
    for (const pipe of [this.#shell.stdin, this.#lifeline]) pipe.on('error', () => undefined)
    this.#shell.stdout.on('data', () => {
      this.#busy = false
    })
    this.#shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#words = (this.#words + text).slice(-MAX_WORDS)
    })
    this.#exited = new Promise((resolve) => {
      const leave = (how: string): void => {
        if (!this.#ending) this.failure ??= `the shell with the processes: ${this.#words.trim() || how}`
        resolve()
      }
      // Its last words may still be in the pipe, and its processes may keep that open.
      shell.once('exit', (code, signal) => setImmediate(leave, `it ended with ${signal ?? code}`))
      shell.once('error', ({ message }) => leave(message))
    })
  }

  /** The processes that are there, the shell included, and those whose end it has not noticed. */
  get pids(): readonly string[] {
    const { pid } = this.#shell
    if (pid === undefined || this.failure !== undefined) return []
    const children = readText(`/proc/${pid}/task/${pid}/children`)?.trim() ?? ''
    return [String(pid), ...(children === '' ? [] : children.split(' '))]
  }

  /** Whether it has done what it was told to. To be asked before it is told more, and again a little later if not. */
  isSettled(): boolean {
    if (this.#busy) return false
    if (this.pids.length > this.#atMost) {
      this.#tell(0)
      return false
    }
    this.#atMost = Infinity
    return true
  }

  /** Starts so many more. */
  add(count: number): void {
    this.#tell(count)
  }

  /** Ends so many. */
  remove(count: number): void {
    this.#atMost = this.pids.length - count
    this.#lifeline.write('\n'.repeat(count))
    this.#tell(0)
  }

  #tell(count: number): void {
    this.#busy = true
    this.#shell.stdin.write(`${count}\n`)
  }

  /** Resolves when all are gone, or at least can't but go. */
  async end(): Promise<void> {
    this.#ending = true
    this.#shell.stdin.destroy()
    this.#lifeline.destroy()
    const deadline = setTimeout(() => this.#kill(), END_DEADLINE_MS)
    await this.#exited
    clearTimeout(deadline)
  }

  #kill(): void {
    const { exitCode, signalCode } = this.#shell
    // The group has this number as long as its first process was not asked for its exit code.
    if (exitCode === null && signalCode === null) killGroup(this.#shell)
  }
}
