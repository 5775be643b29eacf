// Attributes of a type as flags, from their schema: leaveFreeBytes is --leave-free SIZE, holdMs is --hold TIME.
// Bounds are left to the server, whose words say more.
import type { TObject, TSchema } from '@sinclair/typebox'
import { describeSchema } from '../proxy/validate.ts'
import {
  duration,
  integer,
  oneOf,
  optional,
  readNumber,
  required,
  size,
  text,
  toggle,
  type Flag,
  type Reader,
} from './flags.ts'
import { sizeText } from './stress-views.ts'

export interface AttributeFlag {
  /** Without the dashes. */
  readonly name: string
  readonly attribute: string
  readonly flag: Flag<unknown>
}

/** @param taken names of other flags, which one of an attribute gives way to by the type before it */
export function attributeFlags(type: string, schema: TObject, taken: readonly string[]): AttributeFlag[] {
  return Object.entries(schema.properties).map(([attribute, property]) => {
    const short = flagName(attribute)
    const isRequired = (schema.required ?? []).includes(attribute) && property.default === undefined
    return {
      name: taken.includes(short) ? `${type}-${short}` : short,
      attribute,
      flag: flagOf(attribute, property, isRequired),
    }
  })
}

/** Units are said by the value: neither Ms nor Bytes is part of a flag. */
function flagName(attribute: string): string {
  const name = attribute.replace(/(?<=.)(?:Ms|Bytes)$/, '')
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

function flagOf(attribute: string, property: TSchema, isRequired: boolean): Flag<unknown> {
  const describe = (property.description ?? '').replace(' in milliseconds', '')
  if (property['type'] === 'boolean') return switchFlag(describe, property)
  const reader = readerOf(attribute, property)
  if (isRequired) return required(reader, { describe })
  const remark = defaultOf(attribute, property)
  return optional(reader, { describe, ...(remark !== undefined && { remark }) })
}

/** What is not given is left out: a default of true is taken back by --flag=false. */
function switchFlag(describe: string, property: TSchema): Flag<unknown> {
  const remark = property.default === undefined ? undefined : `default ${String(property.default)}`
  const flag = toggle({ describe, ...(remark !== undefined && { remark }) })
  return { ...flag, read: (texts, name) => (texts.length === 0 ? undefined : flag.read(texts, name)) }
}

function defaultOf(attribute: string, property: TSchema): string | undefined {
  const value: unknown = property.default
  if (value === undefined) return undefined
  if (typeof value === 'number' && isSize(attribute)) return `default ${sizeText(value)}`
  if (typeof value === 'number' && attribute.endsWith('Ms')) return `default ${value}ms`
  return `default ${typeof value === 'string' ? value : JSON.stringify(value)}`
}

function readerOf(attribute: string, property: TSchema): Reader<unknown> {
  const options = property['anyOf'] as readonly TSchema[] | undefined
  if (options) return choiceReader(attribute, property, options)
  switch (property['type']) {
    case 'integer':
      if (attribute.endsWith('Ms')) return duration
      return isSize(attribute) ? size : integer()
    case 'number':
      return { placeholder: 'N', expected: 'a number', read: readNumber }
    case 'string':
      return text('TEXT')
    case 'array':
      return listReader(property['items'] as TSchema)
    default:
      return jsonReader(describeSchema(property))
  }
}

function isSize(attribute: string): boolean {
  return /bytes|size$/i.test(attribute)
}

function choiceReader(attribute: string, property: TSchema, options: readonly TSchema[]): Reader<unknown> {
  const words = options.flatMap((option) => (typeof option['const'] === 'string' ? [option['const']] : []))
  if (words.length === options.length) return oneOf(flagName(attribute).toUpperCase(), words)
  const readers = options.filter((option) => !('const' in option)).map((option) => readerOf(attribute, option))
  return {
    placeholder: [...new Set([...readers.map(({ placeholder }) => placeholder), ...words])].join('|'),
    expected: describeSchema(property),
    ...(words.length > 0 && { choices: words }),
    read: (given) => {
      if (words.includes(given)) return given
      // What looks like JSON is not meant as text.
      const values = readers.toReversed().map((reader) => reader.read(given))
      return values.find((value) => value !== undefined)
    },
  }
}

function listReader(items: TSchema): Reader<unknown> {
  const item = readerOf('', items)
  return {
    placeholder: `${item.placeholder},…`,
    expected: `${item.expected}, or some of them separated by commas`,
    read: (given) => {
      const values = given.split(',').map((part) => item.read(part.trim()))
      return values.includes(undefined) ? undefined : values
    },
  }
}

function jsonReader(expected: string): Reader<unknown> {
  return {
    placeholder: 'JSON',
    expected: `${expected}, as JSON`,
    read: (given) => {
      try {
        const value: unknown = JSON.parse(given)
        return typeof value === 'object' ? value : undefined
      } catch {
        return undefined
      }
    },
  }
}
