// Checks a value against a schema to its depth and collects every mistake, each with the field that it is in.
import { Type, type TArray, type TObject, type TSchema } from '@sinclair/typebox'
import { isObject, withoutNulls, type Fields, type Mistakes } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { nearest } from '../../proxy/nearest.ts'
import { describeSchema, describeValue, joinPath } from '../../proxy/validate.ts'

/** @returns whether nothing is wrong with it */
export function deepCheck(mistakes: Mistakes, schema: TObject, value: unknown, path: string): boolean {
  const before = mistakes.errors.length
  checkObject(mistakes, schema, value, path)
  return mistakes.errors.length === before
}

function checkObject(mistakes: Mistakes, schema: TObject, value: unknown, path: string): void {
  const fields = isObject(value) ? withoutNulls(value) : undefined
  // Fields of a free form, such as attributes, are their type's matter.
  if (!fields || schema.additionalProperties === true) return mistakes.fields(schema, value, path)
  const shallow: Record<string, TSchema> = {}
  for (const [name, property] of Object.entries(schema.properties)) {
    const given = fields[name]
    const isChecked = given !== undefined && checkInside(mistakes, property, given, joinPath(path, name))
    shallow[name] = isChecked ? Type.Unknown() : property
  }
  const required = new Set(schema.required ?? [])
  const properties = Object.entries(shallow).map(([name, property]) => [
    name,
    required.has(name) ? property : Type.Optional(property),
  ])
  mistakes.fields(Type.Object(Object.fromEntries(properties) as Record<string, TSchema>), fields, path)
}

/** @returns false: the schema alone is to tell, as there is nothing inside */
function checkInside(mistakes: Mistakes, schema: TSchema, value: unknown, path: string): boolean {
  const options = schema['anyOf'] as readonly TSchema[] | undefined
  if (options) {
    if (typeof value === 'string' && options.every(({ const: word }) => typeof word === 'string')) {
      return checkWord(mistakes, options, value, path)
    }
    const fitting = options.filter(({ type }) => type === typeOf(value))
    const [only] = fitting
    return fitting.length === 1 && only !== undefined && checkInside(mistakes, only, value, path)
  }
  if (isObjectSchema(schema) && isObject(value)) {
    checkObject(mistakes, schema, value, path)
    return true
  }
  if (schema['type'] !== 'array' || !Array.isArray(value)) return false
  const { items, minItems = 0 } = schema as TArray
  if (value.length < minItems) return false
  for (const [index, item] of value.entries()) checkItem(mistakes, items, item, path, index)
  return true
}

function checkItem(mistakes: Mistakes, items: TSchema, item: unknown, path: string, index: number): void {
  if (checkInside(mistakes, items, item, joinPath(path, String(index)))) return
  mistakes.fields(Type.Object({ [index]: items }), { [index]: item }, path)
}

/** One of some words, with a guess which was meant. */
function checkWord(mistakes: Mistakes, options: readonly TSchema[], value: string, path: string): boolean {
  const words = options.map((option) => option['const'] as string)
  if (words.includes(value)) return true
  const close = nearest(value, words)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const expected = options.map(describeSchema).join(' or ')
  const message = `${path}: expected ${expected}, got ${describeValue(value)}${hint}`
  mistakes.errors.push(new FaultlineError('invalid_value', message, { field: path, expected }))
  return true
}

function isObjectSchema(schema: TSchema): schema is TObject {
  return schema['type'] === 'object' && schema['properties'] !== undefined
}

function typeOf(value: unknown): string {
  return Array.isArray(value) ? 'array' : typeof value
}

/** The same value without fields that are null, which count as left out; in what is free, null stays a value. */
export function withoutNullFields(value: unknown, free: ReadonlySet<string>): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutNullFields(item, free))
  if (!isObject(value)) return value
  const entries = Object.entries(withoutNulls(value) satisfies Fields)
  return Object.fromEntries(
    entries.map(([name, inner]) => [name, free.has(name) ? inner : withoutNullFields(inner, free)]),
  )
}
