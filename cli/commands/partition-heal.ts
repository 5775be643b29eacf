// `faultline partition heal`: services hear each other again.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { partitionArgument } from '../names.ts'
import { printable } from '../output.ts'

export const partitionHeal = defineCommand({
  name: 'partition heal',
  describe: 'Heals a partition; links that another one cuts stay cut.',
  arguments: { name: partitionArgument },
  flags: apiFlags,
  example: 'partition heal partition-1',
  async run({ name, json, ...server }, { out, env }) {
    await callV1(server, env, (client) => client.healPartition(name))
    if (json) out.json({ healed: name }) // the API's own answer is empty, which is not JSON
    else out.line(printable(`Healed ${name}`))
  },
})
