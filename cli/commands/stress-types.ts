// `faultline stress types`: the reference of what can be pressed. Asks no server.
import type { TObject } from '@sinclair/typebox'
import { apiFlags } from '../api.ts'
import { optionalArgument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { firstSentence } from '../help.ts'
import { stressorTypeChoices } from '../names.ts'
import type { Cell } from '../output.ts'
import { unknownWord } from '../suggest.ts'

export const stressTypes = defineCommand({
  name: 'stress types',
  describe: 'Explains the types of stressors, or one type with all its attributes, as the API takes them.',
  arguments: { type: optionalArgument('a type; default all', { choices: stressorTypeChoices }) },
  flags: { json: { ...apiFlags.json, describe: 'Prints the reference as JSON, with JSON Schemas.' } },
  example: 'stress types memory',
  async run({ type, json }, { out }) {
    const { describeStressorTypes } = await import('../../admin/openapi/stressor-types.ts')
    const all = describeStressorTypes()
    const chosen = type === undefined ? all : all.filter((view) => view.type === type)
    const [only] = chosen
    if (type !== undefined && only === undefined) {
      const known = all.map((view) => view.type)
      throw unknownWord(`TYPE: unknown stressor ${JSON.stringify(type)}`, type, known)
    }
    if (json) {
      out.json(chosen)
      return
    }
    if (type === undefined) {
      const rows = chosen.map((view): Cell[] => [{ text: view.type, style: 'cyan' }, firstSentence(view.describe)])
      out.table([['TYPE', 'WHAT IT DOES'], ...rows])
      return
    }
    const { findStressorDefinition } = await import('../../resource-stressors/registry.ts')
    const { describeProperties } = await import('../fault-reference.ts')
    const schema = findStressorDefinition(type)?.schema as unknown as TObject
    for (const line of [type, '', only?.describe ?? '', '', 'Attributes:']) out.line(line)
    for (const line of describeProperties(schema)) out.line(line)
    for (const line of ['', `Its flags: faultline help stress ${type}`]) out.line(line)
  },
})
