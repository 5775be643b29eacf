// What reads one part of an experiment file after the other: it collects mistakes, and knows what has none.
import { Mistakes } from '../../admin/config/mistakes.ts'
import { describeValue } from '../../proxy/describe-value.ts'
import { FaultlineError, isFaultlineError } from '../../proxy/errors.ts'
import { readDuration, type DurationBounds } from './units.ts'

export class Reading {
  readonly mistakes = new Mistakes()

  /** A mistake that is none of a schema. */
  refuse(field: string, expected: string, value: unknown, hint = ''): void {
    const message = `${field}: expected ${expected}, got ${describeValue(value)}${hint}`
    this.mistakes.errors.push(new FaultlineError('invalid_value', message, { field, expected }))
  }

  /** A field that is not there. */
  missing(field: string, expected: string): void {
    const message = `${field}: missing, expected ${expected}`
    this.mistakes.errors.push(new FaultlineError('missing_field', message, { field, expected }))
  }

  /** Milliseconds; the usual ones also if the text is wrong, which is on record then. */
  duration(text: string | undefined, field: string, usualMs: number, bounds?: DurationBounds): number {
    if (text === undefined) return usualMs
    return this.mistakes.collect(field, () => readDuration(text, field, bounds)) ?? usualMs
  }

  /**
   * Runs a check of the data plane, or of another part, whose fields have other names here.
   *
   * @param rename what the file calls a field of the checked spec
   */
  async checked<Result>(
    path: string,
    rename: (field: string) => string,
    check: () => Result | Promise<Result>,
  ): Promise<Result | undefined> {
    return this.mistakes.attempt(path, async () => {
      try {
        return await check()
      } catch (error) {
        throw isFaultlineError(error) ? renamed(error, rename) : error
      }
    })
  }
}

function renamed(error: FaultlineError, rename: (field: string) => string): FaultlineError {
  const { code, message, field = '', expected } = error
  const name = rename(field)
  const rest = field !== '' && message.startsWith(`${field}:`) ? message.slice(field.length + 1) : ` ${message}`
  return new FaultlineError(code, `${name}:${rest}`, {
    field: name,
    ...(expected !== undefined && { expected }),
    cause: error,
  })
}
