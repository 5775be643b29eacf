// `faultline faults`: the reference of what can go wrong. Asks no server.
import { apiFlags } from '../api.ts'
import { optionalArgument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { firstSentence } from '../help.ts'
import { faultTypeChoices } from '../names.ts'
import type { Cell } from '../output.ts'
import { unknownWord } from '../suggest.ts'

export const faults = defineCommand({
  name: 'faults',
  describe: 'Explains the types of faults, or one type with all its attributes.',
  arguments: { type: optionalArgument('a type; default all', { choices: faultTypeChoices }) },
  flags: { json: { ...apiFlags.json, describe: 'Prints the reference as JSON, with JSON Schemas.' } },
  example: 'faults http_abort',
  async run({ type, json }, { out }) {
    const { describeReference, faultReferences } = await import('../fault-reference.ts')
    const references = faultReferences(type)
    if (type !== undefined && references.length === 0) {
      const known = new Set(faultReferences().map((reference) => reference.type))
      throw unknownWord(`TYPE: unknown fault ${JSON.stringify(type)}`, type, [...known])
    }
    if (json) {
      out.json(references)
      return
    }
    if (type === undefined) {
      const rows = references.map((reference): Cell[] => [
        { text: reference.type, style: 'cyan' },
        reference.protocols.join(', '),
        firstSentence(reference.describe),
      ])
      out.table([['TYPE', 'PROTOCOL', 'WHAT GOES WRONG'], ...rows])
      return
    }
    for (const [index, reference] of references.entries()) {
      if (index > 0) out.line()
      for (const line of describeReference(reference)) out.line(line)
    }
  },
})
