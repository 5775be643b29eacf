// The text of an experiment: what it says as plain values, and at which line and column it says what.
import { ConfigError, type ConfigProblem } from '../../admin/config/config-error.ts'
import { ConfigSource } from '../../admin/config/source.ts'
import type { FaultlineError } from '../../proxy/errors.ts'
import { replaceTexts } from './values.ts'

/** Begins the private characters of Unicode, which hardly any file has. */
const FIRST_PRIVATE = 0xe000
const LAST_PRIVATE = 0xf8ff

export class ExperimentSource {
  readonly value: unknown
  readonly problems: readonly ConfigProblem[]
  readonly #source: ConfigSource
  /** Stands for a dollar while the text is read: configuration files have another meaning of `${…}`. */
  readonly #dollar: string

  /** @throws ConfigError if the text can't be read */
  constructor(file: string, text: string) {
    this.#dollar = unusedCharacter(text)
    try {
      this.#source = new ConfigSource(file, text.replaceAll('$', this.#dollar), {})
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      throw new ConfigError(error.problems.map((problem) => this.#restore(problem)))
    }
    this.value = replaceTexts(this.#source.value, (part) => part.replaceAll(this.#dollar, '$'))
    this.problems = this.#source.problems.map((problem) => this.#restore(problem))
  }

  locate(errors: readonly FaultlineError[]): ConfigProblem[] {
    return this.#source.locate(errors)
  }

  #restore(problem: ConfigProblem): ConfigProblem {
    return { ...problem, message: problem.message.replaceAll(this.#dollar, '$') }
  }
}

function unusedCharacter(text: string): string {
  for (let code = FIRST_PRIVATE; code <= LAST_PRIVATE; code++) {
    const character = String.fromCharCode(code)
    if (!text.includes(character)) return character
  }
  throw new RangeError('a text that has every private character of Unicode can not be read')
}
