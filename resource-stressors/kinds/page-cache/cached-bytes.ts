// How much of some files is in the page cache, by fincore(1): Node has no mincore(2). Asked once a second.
import { execFile } from 'node:child_process'
import type { SourceFile } from './source.ts'

const ASK_AGAIN_MS = 900
/** Files for one command line. */
const FILES_AT_ONCE = 500
/** To look at a terabyte takes seconds. */
const DEADLINE_MS = 10_000

export class CachedBytes {
  /** Undefined until it is known. */
  bytes: number | undefined
  readonly #program: string
  readonly #files: readonly SourceFile[]
  #asking = false
  #askedMs = -Infinity

  constructor(program: string, files: readonly SourceFile[]) {
    this.#program = program
    this.#files = files
  }

  /**
   * Asks for it, if that was long ago. What it throws ends the stressor, as an exception that nobody catches.
   *
   * @param wantedBytes so much of all files, from the first on, matters
   */
  async refresh(wantedBytes: number): Promise<void> {
    if (this.#asking || performance.now() - this.#askedMs < ASK_AGAIN_MS) return
    this.#asking = true
    this.#askedMs = performance.now()
    this.bytes = await this.#ask(wantedBytes)
    this.#asking = false
  }

  async #ask(wantedBytes: number): Promise<number> {
    const paths: string[] = []
    for (let [index, bytes] = [0, 0]; index < this.#files.length && bytes < wantedBytes; index++) {
      paths.push(this.#files[index]?.path ?? '')
      bytes += this.#files[index]?.bytes ?? 0
    }
    let sum = 0
    for (let begin = 0; begin < paths.length; begin += FILES_AT_ONCE) {
      sum += await this.#residentBytes(paths.slice(begin, begin + FILES_AT_ONCE))
    }
    return sum
  }

  /** A number a line; files that are gone are told on stderr, with an exit code. */
  #residentBytes(paths: readonly string[]): Promise<number> {
    const options = ['--bytes', '--noheadings', '--output', 'RES', '--']
    return new Promise((resolve, reject) => {
      execFile(this.#program, [...options, ...paths], { timeout: DEADLINE_MS }, (error, lines) => {
        if (error && (typeof error.code !== 'number' || error.killed === true)) reject(error)
        else resolve(lines.split('\n').reduce((sum, line) => sum + Number(line), 0))
      })
    })
  }
}
