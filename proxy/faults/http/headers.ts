// Headers that are changed on their way.
import { phaseField } from './fields.ts'
import { checkHeaderName, headersField, readHeaders } from './header-fields.ts'
import { defineHttpFault, invalidField, PASS, Schema } from './http-fault.ts'

export const httpHeaders = defineHttpFault({
  type: 'http_headers',
  describe: 'Removes, sets and adds headers of a request or answer, in this order.',
  schema: Schema.Object({
    phase: phaseField('response', "Whether the answer's headers are changed, or the request's."),
    set: headersField('Replace all headers of the same name, in the place of the first.'),
    add: headersField('Go behind all others.'),
    remove: Schema.Array(Schema.String(), { default: [], description: 'Names of headers that are removed.' }),
  }),
  create(attributes, environment) {
    const { phase, remove } = attributes
    const set = readHeaders(attributes.set, 'set', environment)
    const add = readHeaders(attributes.add, 'add', environment)
    for (const [index, name] of remove.entries()) checkHeaderName(name, environment.field(`remove.${index}`))
    if (set.length + add.length + remove.length === 0) {
      throw invalidField(environment.field('set'), 'a header, or one in add or remove', attributes.set)
    }
    const setNames = new Set(set.map(([name]) => name.toLowerCase()))
    return {
      phase,
      decide({ head }) {
        let removed = 0
        for (const name of remove) removed += head.remove(name)
        const left = new Set(setNames)
        for (const [name, value] of set) {
          // The first of several of the same name takes the place of the old ones.
          if (left.delete(name.toLowerCase())) head.set(name, value)
          else head.add(name, value)
        }
        for (const [name, value] of add) head.add(name, value)
        if (removed + set.length + add.length === 0) return PASS
        return { kind: 'edited', action: 'edit_headers' }
      },
    }
  },
})
