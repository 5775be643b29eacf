// The fields of an object, as a table: from its JSON Schema.
import { code, prose, table } from './markdown.mjs'

/**
 * @param describeType says in words what a schema accepts
 * @param first the head of the first column
 */
export function fieldsTable({ properties = {}, required = [] }, describeType, first = 'attribute') {
  const rows = Object.entries(properties).map(([name, property]) => [
    code(name),
    prose(describeType(property)),
    defaultOf(property, required.includes(name)),
    prose(property.description ?? ''),
  ])
  return table([first, 'value', 'default', 'what it is'], rows)
}

function defaultOf(property, isRequired) {
  if (property.default !== undefined) return code(JSON.stringify(property.default))
  return isRequired ? 'required' : ''
}
