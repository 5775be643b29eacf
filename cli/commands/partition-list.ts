// `faultline partition list`: which services are kept apart.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import type { Cell } from '../output.ts'
import { cutsText, endOf } from '../v1-views.ts'

export const partitionList = defineCommand({
  name: 'partition list',
  describe: 'Shows the partitions that have not been healed.',
  arguments: {},
  flags: apiFlags,
  example: 'partition list',
  async run({ json, ...server }, { out, env }) {
    const partitions = await callV1(server, env, (client) => client.partitions())
    if (json) {
      out.json(partitions)
      return
    }
    const rows = partitions.map((partition): Cell[] => [
      partition.name,
      partition.mode,
      cutsText(partition),
      partition.links.join(', ') || 'none',
      endOf(partition),
    ])
    if (rows.length === 0) out.line('There are no partitions. Add one with "faultline partition add".')
    else out.table([['NAME', 'MODE', 'CUTS', 'LINKS', 'ENDS'], ...rows])
  },
})
