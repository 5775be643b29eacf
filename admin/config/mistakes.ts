// Collects all that is wrong with a document, where the data plane's own checks stop at the first mistake.
import { Type, type TObject } from '@sinclair/typebox'
import { FaultlineError, isFaultlineError } from '../../proxy/errors.ts'
import { joinPath, validate } from '../../proxy/validate.ts'

export type Fields = Readonly<Record<string, unknown>>

export class Mistakes {
  /** In the order in which they were found. Their fields begin at the root of the document. */
  readonly errors: FaultlineError[] = []

  /** An object's fields, without those that have no value: they count as left out. */
  object(schema: TObject, given: unknown, path: string): Fields {
    const value = isObject(given) ? withoutNulls(given) : given
    this.fields(schema, value, path)
    return isObject(value) ? value : {}
  }

  /** Each field by itself, as validate() tells only of the first mistake. */
  fields(schema: TObject, value: unknown, path: string): void {
    if (!isObject(value)) {
      this.collect(path, () => validate(schema, value, path))
      return
    }
    const { properties } = schema
    for (const name of new Set([...Object.keys(properties), ...Object.keys(value)])) {
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined
      const alone = property ? Type.Object({ [name]: property }) : { ...schema, required: [] }
      const check = (): unknown => validate(alone, pick(value, [name]), path)
      this.collect(path, property?.['writeOnly'] === true ? () => discreetly(check) : check)
    }
  }

  /** @returns what the check does; undefined if it has found a mistake */
  collect<Result>(path: string, check: () => Result): Result | undefined {
    try {
      return check()
    } catch (error) {
      this.#add(error, path)
      return undefined
    }
  }

  async attempt<Result>(path: string, action: () => Result | Promise<Result>): Promise<Result | undefined> {
    try {
      return await action()
    } catch (error) {
      this.#add(error, path)
      return undefined
    }
  }

  #add(error: unknown, path: string): void {
    if (!isFaultlineError(error)) throw error
    this.errors.push(atPath(error, path))
  }
}

/** Errors show what they got. A token must not get into a log by one. */
function discreetly(check: () => unknown): void {
  try {
    check()
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    const { code, message, field, expected } = error
    throw new FaultlineError(code, message.replace(/, got [^]*$/, ''), {
      ...(field !== undefined && { field }),
      ...(expected !== undefined && { expected }),
    })
  }
}

/** What the data plane says of a part, as said of the whole document. */
function atPath(error: FaultlineError, path: string): FaultlineError {
  const { code, message, field = '', expected } = error
  if (path === '' || field === path || field.startsWith(`${path}.`)) return error
  const beginsWithField = field !== '' && message.startsWith(`${field}:`)
  return new FaultlineError(code, beginsWithField ? joinPath(path, message) : `${path}: ${message}`, {
    field: joinPath(path, field),
    ...(expected !== undefined && { expected }),
    cause: error,
  })
}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function withoutNulls(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
}

export function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
}
