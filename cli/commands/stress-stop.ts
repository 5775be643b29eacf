// `faultline stress stop`: ends one stressor, or all.
import { apiFlags, callV1 } from '../api.ts'
import { optionalArgument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { toggle } from '../flags.ts'
import { stressorChoices } from '../names.ts'
import { printable } from '../output.ts'

export const stressStop = defineCommand({
  name: 'stress stop',
  describe: 'Ends a stressor, or all; what it had taken is given back.',
  arguments: {
    stressor: optionalArgument('the id or name of the stressor; without --all', { choices: stressorChoices }),
  },
  flags: { all: toggle({ short: 'a', describe: 'Ends all.' }), ...apiFlags },
  example: 'stress stop cpu-1',
  async run({ stressor, all, json, ...server }, { out, env }) {
    if (all === (stressor !== undefined)) throw new UsageError('STRESSOR: expected the id or name of one, or --all')
    const stopped = await callV1(server, env, async (client) => {
      if (stressor === undefined) return client.stopStressors()
      await client.stopStressor(stressor)
      return [await client.stressor(stressor)]
    })
    if (json) out.json(stopped)
    else if (stopped.length === 0) out.line('There are no stressors.')
    else out.line(printable(`Stopped ${stopped.map(({ name }) => name).join(', ')}`))
  },
})
