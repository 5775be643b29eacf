// Runs the built program as people do: as a process of its own, with its exit code and what it printed.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { run } from '../../cli/run.ts'

/** The repository's folder. */
export const ROOT = join(import.meta.dirname, '..', '..')

export const MAIN = join(ROOT, 'dist', 'esm', 'cli', 'main.js')

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export type Environment = Readonly<Record<string, string>>

/** Only what is needed: a FAULTLINE_URL or NO_COLOR of whoever runs the tests must not count. */
function environment(extra: Environment): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', ...extra }
}

/** Runs `faultline` with these arguments until it ends by itself. */
export function faultline(args: readonly string[], extra: Environment = {}): Promise<Ended> {
  return runToEnd(process.execPath, [MAIN, ...args], extra)
}

/** The same in this process: for what does not depend on being a process, as it takes a hundredth of the time. */
export async function inProcess(args: readonly string[], env: Environment = {}): Promise<Ended> {
  const texts = { stdout: '', stderr: '' }
  const stream = (name: keyof typeof texts) => ({
    write: (text: string) => {
      texts[name] += text
    },
  })
  const code = await run(args, { stdout: stream('stdout'), stderr: stream('stderr'), env })
  return { code, ...texts }
}

/** Runs a line of shell, as it would be typed in the repository's folder. */
export function shell(line: string): Promise<Ended> {
  return runToEnd('sh', ['-c', line], {})
}

async function runToEnd(file: string, args: readonly string[], extra: Environment): Promise<Ended> {
  const child = spawn(file, args, { cwd: ROOT, env: environment(extra), stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr, [code]] = await Promise.all([
    readAll(child.stdout),
    readAll(child.stderr),
    once(child, 'close'),
  ])
  return { code: code as number | null, stdout, stderr }
}

async function readAll(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream.setEncoding('utf8')) text += String(chunk)
  return text
}

/** A process that goes on until it is signalled. Ends with the block that it is declared in. */
export class LongRunning implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #waiters = new Set<() => void>()
  readonly #ended: Promise<Ended>

  private constructor(args: readonly string[], extra: Environment) {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: environment(extra),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    createInterface(child.stdout).on('line', (line) => {
      this.#lines.push(line)
      for (const wake of this.#waiters) wake()
    })
    this.#ended = Promise.all([readAll(child.stderr), once(child, 'close')]).then(([stderr, [code]]) => ({
      code: code as number | null,
      stdout: this.#lines.join('\n'),
      stderr,
    }))
  }

  static faultline(args: readonly string[], extra: Environment = {}): LongRunning {
    return new LongRunning([MAIN, ...args], extra)
  }

  /** Runs a module's source. */
  static script(source: string): LongRunning {
    return new LongRunning(['--input-type=module', '-e', source], {})
  }

  get ended(): Promise<Ended> {
    return this.#ended
  }

  /** All lines of stdout so far. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** The first line that matches, now or later; fails if the process ends without it. */
  async line(matches: (line: string) => boolean): Promise<string> {
    const failed = this.#ended.then(({ code, stdout, stderr }) => {
      throw new Error(`ended with ${code} before the line came\n${stdout}\n${stderr}`)
    })
    for (;;) {
      const line = this.#lines.find(matches)
      if (line !== undefined) {
        failed.catch(() => undefined) // it may end now
        return line
      }
      await Promise.race([failed, new Promise<void>((resolve) => this.#waiters.add(resolve))])
    }
  }

  /** Closes the pipe that it writes to. */
  stopReading(): void {
    this.#child.stdout?.destroy()
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Signals, and waits for the end. */
  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    this.signal(signal)
    return this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.stop('SIGKILL')
  }
}

/** A line of the log of `faultline serve`. */
export interface LogLine {
  readonly level: string
  readonly msg: string
  readonly [field: string]: unknown
}

export interface Serving extends AsyncDisposable {
  readonly process: LongRunning
  readonly url: string
  readonly port: number
  /** What it said when it had started. */
  readonly startLine: LogLine
}

/** Runs `faultline serve` on a free port, until the end of the block. */
export async function serve(args: readonly string[] = [], extra: Environment = {}): Promise<Serving> {
  const running = LongRunning.faultline(['serve', '-port', '0', ...args], extra)
  const startLine = parseLog(await running.line((line) => parseLog(line).msg === 'faultline started'))
  const port = Number(startLine['port'])
  return {
    process: running,
    url: `http://127.0.0.1:${port}`,
    port,
    startLine,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

export function parseLog(line: string): LogLine {
  return JSON.parse(line) as LogLine
}

/** Waits until somebody does. */
export async function listening(port: number): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1')
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
  }
}
