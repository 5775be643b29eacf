// `faultline stress list`: which stressors are there, and what they achieve.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import type { Cell } from '../output.ts'
import { figuresText } from '../stress-views.ts'
import { endOf } from '../v1-views.ts'

export const stressList = defineCommand({
  name: 'stress list',
  describe: 'Shows the stressors that are there, what was asked of them and what they achieve.',
  arguments: {},
  flags: apiFlags,
  example: 'stress list',
  async run({ json, ...server }, { out, env }) {
    const stressors = await callV1(server, env, (client) => client.stressors())
    if (json) {
      out.json(stressors)
      return
    }
    const rows = stressors.map((stressor): Cell[] => [
      stressor.id,
      stressor.name,
      stressor.type,
      stressor.state,
      endOf(stressor),
      figuresText(stressor.requested),
      figuresText(stressor.achieved),
    ])
    if (rows.length === 0) out.line('There are no stressors. Start one with "faultline stress TYPE".')
    else out.table([['ID', 'NAME', 'TYPE', 'STATE', 'ENDS', 'ASKED FOR', 'ACHIEVED'], ...rows])
  },
})
