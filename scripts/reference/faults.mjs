// docs/reference/faults.md: every type of faults, with its attributes and what it can be matched by.
import { fieldsTable } from './fields.mjs'
import { code, GENERATED, page, prose } from './markdown.mjs'

export async function faultsPage(load) {
  const [{ faultReferences, describeType }, { faultSpecSchema }] = await Promise.all([
    load('cli/fault-reference'),
    load('proxy/installed-fault'),
  ])
  const faults = faultReferences()
  const matches = matchesOf(faults)
  return page(
    '# Reference: faults',
    GENERATED,
    'Every fault has these fields, in the API, in `faultline.yaml` and in a test alike. `attributes` are those of its ' +
      '`type`; `match` is one of [these](#matches). `faultline faults TYPE` shows the same in a terminal.',
    fieldsTable(faultSpecSchema, describeType, 'field'),
    sections(faults).flatMap(([title, members]) => [
      `## ${title}`,
      ...members.flatMap((fault) => faultBlocks(fault, matches.get(keyOf(fault)).label, describeType)),
    ]),
    '## Matches',
    'Fields that are left out match everything.',
    [...matches.values()].flatMap(({ label, match }) => [
      `### Match: ${label}`,
      ...(Object.keys(match.properties).length === 0
        ? ['Nothing to choose by.']
        : fieldsTable(match, describeType, 'field')),
    ]),
  )
}

function faultBlocks({ type, layer, protocols, describe, attributes }, label, describeType) {
  const carriers = protocols.map(code).join(', ')
  const anchor = `#match-${label.replaceAll(' ', '-')}`
  const table = fieldsTable(attributes, describeType)
  return [
    `### ${type}${protocols.includes('udp') ? ' (UDP)' : ''}`,
    prose(describe),
    `Layer ${layer}; on proxies with protocol ${carriers}; [match: ${label}](${anchor}).`,
    ...(table.length === 0 ? ['It has no attributes.'] : table),
  ]
}

/** By title, in the registry's order. */
function sections(faults) {
  const groups = new Map()
  for (const fault of faults) {
    const title = titleOf(fault)
    groups.set(title, [...(groups.get(title) ?? []), fault])
  }
  return [...groups]
}

function titleOf({ layer, protocols }) {
  if (layer === 'message') return `Messages: ${protocols.join(', ')}`
  return { stream: 'Streams of bytes', connection: 'Connections', datagram: 'Datagrams' }[layer]
}

function keyOf({ match }) {
  return JSON.stringify(match)
}

/** All matches that there are, by their schema; many faults share one. */
function matchesOf(faults) {
  const matches = new Map()
  for (const fault of faults) {
    const key = keyOf(fault)
    if (matches.has(key)) continue
    const wanted = fault.layer === 'message' ? fault.type.split('_')[0] : fault.layer
    const isTaken = [...matches.values()].some(({ label }) => label === wanted)
    matches.set(key, { label: isTaken ? fault.type.replaceAll('_', ' ') : wanted, match: fault.match })
  }
  return matches
}
