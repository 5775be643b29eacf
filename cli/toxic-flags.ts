// What the flags of the toxic commands share.
import { readNumber, repeatable, type Reader } from './flags.ts'

export type Attribute = readonly [name: string, value: string | number | boolean]

const attribute: Reader<Attribute> = {
  placeholder: 'NAME=VALUE',
  expected: 'NAME=VALUE',
  read: (given) => {
    const equals = given.indexOf('=')
    return equals < 1 ? undefined : [given.slice(0, equals), readValue(given.slice(equals + 1))]
  },
}

export const attributeFlag = repeatable(attribute, { short: 'a', describe: 'What the toxic does, e.g. latency=1000.' })

/** `--toxicName` is how Toxiproxy's CLI spells it. */
export const TOXIC_NAME_ALIAS = 'toxicName'

/** Numbers and booleans become such, all else stays text. */
function readValue(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  return readNumber(text) ?? text
}
