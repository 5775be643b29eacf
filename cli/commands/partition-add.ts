// `faultline partition add`: keeps services apart.
import { apiFlags, callV1 } from '../api.ts'
import { remainingArguments } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { duration, oneOf, optional, text, toggle, withDefault } from '../flags.ts'
import { printable } from '../output.ts'
import { cutsText } from '../v1-views.ts'

const EXPECTED = 'two or more groups of services with a slash between them: app / db,cache'

export const partitionAdd = defineCommand({
  name: 'partition add',
  describe: 'Cuts every link between groups of services; links are proxies with "from" and "to".',
  arguments: { groups: { ...remainingArguments(EXPECTED), synopsis: () => 'GROUP / GROUP' } },
  flags: {
    name: optional(text('NAME'), { short: 'n', describe: 'Its name.', remark: 'default partition-1 and so on' }),
    mode: withDefault(oneOf('MODE', ['drop', 'reject']), 'drop', {
      short: 'm',
      describe: 'As if a cable were cut (drop), or as a firewall that rejects (reject).',
    }),
    'one-way': toggle({ describe: 'Only what the first group says is not heard by the others.' }),
    ttl: optional(duration, { describe: 'It heals by itself after this time, e.g. 30s.' }),
    lease: optional(text('ID'), { describe: 'It heals when this lease ends.' }),
    ...apiFlags,
  },
  example: 'partition add app / db,cache --ttl 30s',
  async run({ groups: words, name, mode, ttl, lease, json, ...values }, { out, env }) {
    const spec = {
      groups: readGroups(words),
      mode,
      oneWay: values['one-way'],
      ...(name !== undefined && { name }),
      ...(ttl !== undefined && { ttlMs: ttl }),
      ...(lease !== undefined && { lease }),
    }
    const partition = await callV1(values, env, (client) => client.addPartition(spec))
    if (json) {
      out.json(partition)
      return
    }
    const links = partition.links.join(', ') || 'none so far'
    out.line(printable(`Added ${partition.name} (${partition.mode}): ${cutsText(partition)}; links cut: ${links}`))
  },
})

/** `a,b / c` is [[a, b], [c]], however the shell cut it into words. */
function readGroups(words: readonly string[]): string[][] {
  const text = words.join(' ')
  const groups = text.split('/').map((group) => group.split(/[\s,]+/).filter((service) => service !== ''))
  if (groups.length >= 2 && groups.every((group) => group.length > 0)) return groups
  throw new UsageError(`GROUPS: expected ${EXPECTED}, got ${JSON.stringify(text)}`)
}
