// What a flag is: how it is written, what it accepts, what help says of it. Reading a command line is command.ts.
import { parseAddress } from '../proxy/address.ts'
import { UsageError } from './errors.ts'

/** Turns the text behind a flag into a value. */
export interface Reader<Value> {
  /** Stands for the value in help, e.g. `ADDR`. */
  readonly placeholder: string
  /** What is accepted, in words: "expected …". */
  readonly expected: string
  /** All that is accepted, where that is a few words. */
  readonly choices?: readonly string[]
  /** Undefined: not accepted. */
  read(text: string): Value | undefined
}

/** What people read and type of a flag; its long name is its key in the command's table of flags. */
export interface FlagText {
  readonly describe: string
  /** One letter. */
  readonly short?: string
  /** Another long name, as another program spells it. */
  readonly alias?: string
}

export interface Flag<Value> extends FlagText {
  /** Undefined: a switch, which has no value. */
  readonly placeholder: string | undefined
  /** Closes the description in help: `required`, `default 1`. */
  readonly remark: string | undefined
  readonly required: boolean
  readonly choices?: readonly string[] | undefined
  /** @param texts all that was given, in order; a switch without a value counts as `true` */
  read(texts: readonly string[], name: string): Value
}

export function optional<Value>(
  reader: Reader<Value>,
  text: FlagText & { readonly remark?: string },
): Flag<Value | undefined> {
  return {
    remark: undefined,
    ...text,
    placeholder: reader.placeholder,
    choices: reader.choices,
    required: false,
    read: (texts, name) => readLast(reader, texts, name),
  }
}

export function required<Value>(reader: Reader<Value>, text: FlagText): Flag<Value> {
  return {
    ...text,
    placeholder: reader.placeholder,
    choices: reader.choices,
    remark: 'required',
    required: true,
    read: (texts, name) => {
      const value = readLast(reader, texts, name)
      if (value === undefined) throw new UsageError(`${name}: missing, expected ${reader.expected}`)
      return value
    },
  }
}

export function withDefault<Value>(reader: Reader<Value>, value: Value, text: FlagText): Flag<Value> {
  return {
    ...text,
    placeholder: reader.placeholder,
    choices: reader.choices,
    remark: `default ${String(value)}`,
    required: false,
    read: (texts, name) => readLast(reader, texts, name) ?? value,
  }
}

/** May be given several times. */
export function repeatable<Value>(reader: Reader<Value>, text: FlagText): Flag<readonly Value[]> {
  return {
    ...text,
    placeholder: reader.placeholder,
    choices: reader.choices,
    remark: 'repeatable',
    required: false,
    read: (texts, name) => texts.map((given) => readText(reader, given, name)),
  }
}

/** Off, unless it is given. `--flag=false` is understood, too. */
export function toggle(text: FlagText & { readonly remark?: string }): Flag<boolean> {
  return {
    remark: undefined,
    ...text,
    placeholder: undefined,
    required: false,
    read: (texts, name) => readLast(truth, texts, name) ?? false,
  }
}

/** On, unless it is given as `--flag=false`. */
export function toggleOff(text: FlagText): Flag<boolean> {
  return {
    ...toggle({ ...text, remark: 'default true' }),
    read: (texts, name) => readLast(truth, texts, name) ?? true,
  }
}

/** The last one counts, as everywhere. */
function readLast<Value>(reader: Reader<Value>, texts: readonly string[], name: string): Value | undefined {
  const values = texts.map((given) => readText(reader, given, name))
  return values.at(-1)
}

/**
 * @param name of the flag, argument or environment variable that holds it
 * @throws UsageError
 */
export function readText<Value>(reader: Reader<Value>, given: string, name: string): Value {
  const value = reader.read(given)
  if (value !== undefined) return value
  throw new UsageError(`${name}: expected ${reader.expected}, got ${JSON.stringify(given)}`)
}

// ---- readers -------------------------------------------------------------------------------------------------------

export function text(placeholder: string): Reader<string> {
  return { placeholder, expected: 'a non-empty text', read: (given) => (given === '' ? undefined : given) }
}

/** Go's spellings of a boolean, which Toxiproxy's flags take. */
const truth: Reader<boolean> = {
  placeholder: 'BOOL',
  expected: 'true or false',
  read: (given) => {
    if (/^(?:true|t|1)$/i.test(given)) return true
    return /^(?:false|f|0)$/i.test(given) ? false : undefined
  },
}

export function integer(minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER): Reader<number> {
  return {
    placeholder: 'N',
    expected: `an integer from ${minimum} to ${maximum}`,
    read: (given) => {
      const value = /^[+-]?\d+$/.test(given) ? Number(given) : NaN
      return value >= minimum && value <= maximum ? value : undefined
    },
  }
}

/** One of a few words. */
export function oneOf<const Word extends string>(placeholder: string, words: readonly Word[]): Reader<Word> {
  return {
    placeholder,
    expected: `one of ${words.join(', ')}`,
    choices: words,
    read: (given) => words.find((word) => word === given),
  }
}

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** A time with its unit, read as milliseconds. Without one it would be a guess. */
export const duration: Reader<number> = {
  placeholder: 'TIME',
  expected: 'a time such as 500ms, 30s, 5m or 1h',
  read: (given) => {
    const [, count, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(given) ?? []
    const durationMs = Math.round(Number(count) * (unitMs[unit ?? ''] ?? NaN))
    return durationMs >= 1 ? durationMs : undefined
  },
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
}

/** Read as bytes. */
export const size: Reader<number> = {
  placeholder: 'SIZE',
  expected: 'a size such as 512MiB or 1GB, or a number of bytes',
  read: (given) => {
    const [, count, unit = ''] = /^(\d+(?:\.\d+)?)([kKMGT]?i?B)?$/.exec(given) ?? []
    const bytes = Math.round(Number(count) * (unitBytes[unit] ?? NaN))
    return Number.isSafeInteger(bytes) ? bytes : undefined
  },
}

export const port: Reader<number> = { ...integer(0, 65_535), placeholder: 'PORT' }

export const share: Reader<number> = {
  placeholder: 'SHARE',
  expected: 'a number from 0 to 1',
  read: (given) => {
    const value = readNumber(given)
    return value !== undefined && value >= 0 && value <= 1 ? value : undefined
  },
}

export const address: Reader<string> = {
  placeholder: 'ADDR',
  expected: 'host:port with a port from 0 to 65535',
  read: (given) => {
    try {
      parseAddress(given, 'address')
      return given
    } catch {
      return undefined
    }
  },
}

/** A decimal number as people write it; not `0x10`, not `Infinity`, not the empty text. */
export function readNumber(given: string): number | undefined {
  const value = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(given) ? Number(given) : NaN
  return Number.isFinite(value) ? value : undefined
}
