// Does what a guide says, as a reader would: saves its files, keeps its servers running, types its commands into bash.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { listening, MAIN, ROOT } from '../cli/support.ts'
import { freePort } from './sockets.ts'
import { filesOf, type Section, type Step, stepsOf } from './docs-markdown.ts'
import { asShown } from './docs-output.ts'

/** The note of blocks that a reader types into a terminal of its own, as they go on. */
const TERMINAL = 'terminal'

/** What is printed behind each step, with its exit code. */
const END = '=== the step has ended with'

/** What became of a step. */
export interface Outcome {
  /** Of the step, in the guide. */
  readonly line: number
  readonly exitCode: number
  /** As shown, if all differences are such that may be; an error of the API where nothing is shown. */
  readonly output: string
}

/** The outcome of a step of which the guide tells the truth. */
export function wanted({ line, output }: Step): Outcome {
  return { line, exitCode: 0, output: output?.trimEnd() ?? '' }
}

/** What a guide expects to be there. */
export interface GuideNeeds {
  /** Packages that its programs import; one by the name `faultline` is this one. Default: `ws`. */
  readonly packages?: readonly string[]
  /** Files that it does not show, by name. */
  readonly files?: Readonly<Record<string, string>>
  /** Ports of servers that are running, by what they are in the guide. */
  readonly running?: Readonly<Record<number, number>>
}

export class GuideRun implements AsyncDisposable {
  readonly #folder: string
  /** By port in the guide. */
  readonly #ports: ReadonlyMap<string, string>
  readonly #terminals: ChildProcess[] = []

  private constructor(folder: string, ports: ReadonlyMap<string, string>) {
    this.#folder = folder
    this.#ports = ports
  }

  /**
   * Saves the guide's files and starts its servers.
   *
   * @param ports of the guide; others, which are free, are taken in their place
   * @param servers those of them that servers listen on once they have started
   */
  static async start(
    sections: readonly Section[],
    ports: readonly number[],
    servers: readonly number[],
    { packages = ['ws'], files = {}, running = {} }: GuideNeeds = {},
  ) {
    const free = await Promise.all(ports.map(freePort))
    const folder = mkdtempSync(join(tmpdir(), 'faultline-guide-'))
    const taken = Object.entries(running).map(([port, here]) => [port, String(here)] as const)
    const given = ports.map((port, index) => [String(port), String(free[index])] as const)
    const run = new GuideRun(folder, new Map([...taken, ...given]))
    mkdirSync(join(folder, 'node_modules'))
    for (const name of packages) {
      const place = name === 'faultline' ? ROOT : join(ROOT, 'node_modules', name)
      symlinkSync(place, join(folder, 'node_modules', name))
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    for (const [name, text] of filesOf(sections)) writeFileSync(join(folder, name), run.#here(text))
    for (const { note, text } of sections.flatMap(({ blocks }) => blocks)) if (note === TERMINAL) run.#keep(text)
    const ended = run.#terminals.map(async (terminal) => {
      const [code] = await once(terminal, 'exit')
      throw new Error(`${terminal.spawnargs.join(' ')} ended with ${code}`)
    })
    for (const end of ended) end.catch(() => undefined) // it ends with the run, too
    try {
      await Promise.race([...ended, Promise.all(servers.map((port) => listening(run.port(port))))])
    } catch (error) {
      await run[Symbol.asyncDispose]()
      throw error
    }
    return run
  }

  /** What a port of the guide is in this run. */
  port(shown: number): number {
    return Number(this.#ports.get(String(shown)))
  }

  /** Types the steps of a section into one shell. */
  async steps(section: Section): Promise<Outcome[]> {
    const steps = stepsOf(section)
    const script = steps.map((step) => `${step.script}\nprintf '\\n${END} %s\\n' $?\n`).join('')
    const printed = await this.#bash(`exec 2>&1\n${script}`)
    return steps.map(({ line, output: shown }, index) => {
      const [output = '', exitCode] = [printed[2 * index], Number(printed[2 * index + 1] ?? Number.NaN)]
      const text = shown === undefined ? (/\{"type":"urn:.*/.exec(output)?.[0] ?? '') : asShown(output, shown)
      return { line, exitCode, output: text.trimEnd() }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const alive = this.#terminals.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    const ended = alive.map((terminal) => once(terminal, 'exit'))
    for (const terminal of alive) terminal.kill()
    await Promise.all(ended)
    rmSync(this.#folder, { recursive: true })
  }

  /** With the ports of this run, and this Faultline. */
  #here(text: string): string {
    const api = this.#ports.get('8474')
    return text
      .replaceAll(/\b\d{4,5}\b/g, (number) => this.#ports.get(number) ?? number)
      .replace(/^npx faultline serve/, `npx faultline serve --port ${api}`)
      .replaceAll(/\bnpx faultline\b/g, `node ${MAIN}`)
  }

  /** With the ports of the guide. */
  #there(text: string): string {
    let result = text
    for (const [shown, here] of this.#ports) result = result.replaceAll(`:${here}`, `:${shown}`)
    return result
  }

  /** Output and exit code by turns. */
  async #bash(script: string): Promise<string[]> {
    const child = spawn('bash', ['-c', this.#here(script)], this.#options())
    const ended = once(child, 'close')
    let output = ''
    for await (const text of child.stdout?.setEncoding('utf8') ?? []) output += String(text)
    await ended
    return this.#there(output).split(new RegExp(`\\n${END} (\\d+)\\n`))
  }

  #keep(command: string): void {
    const options = { ...this.#options(), stdio: ['ignore', 'ignore', 'inherit'] as ['ignore', 'ignore', 'inherit'] }
    this.#terminals.push(spawn('bash', ['-c', `exec ${this.#here(command)}`], options))
  }

  #options() {
    // A reader's own curl settings, proxies or languages would be theirs to explain.
    const env = {
      PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`,
      HOME: this.#folder,
      LC_ALL: 'C',
      FAULTLINE_URL: `http://127.0.0.1:${this.#ports.get('8474')}`,
    }
    return { cwd: this.#folder, env, stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'] }
  }
}

/** False where guides can't be run: `--json` came with curl 7.82. */
export function hasCurl(): boolean {
  try {
    const [, major, minor] = /^curl (\d+)\.(\d+)/.exec(execFileSync('curl', ['--version'], { encoding: 'utf8' })) ?? []
    return Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 82)
  } catch {
    return false
  }
}
