// `faultline fault set`: changes a fault, also on open connections.
import { apiFlags, callV1 } from '../api.ts'
import { remainingArguments } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { changeFlags, readFaultSettings } from '../fault-flags.ts'
import { toggle } from '../flags.ts'
import { faultArgument, proxyArgument } from '../names.ts'
import { printable } from '../output.ts'
import { faultText } from '../v1-views.ts'

export const faultSet = defineCommand({
  name: 'fault set',
  describe: 'Changes a fault; what is not named stays. A match is replaced as a whole.',
  arguments: {
    proxy: proxyArgument,
    fault: faultArgument,
    'name=value': remainingArguments('attributes to change, e.g. latency=200'),
  },
  flags: {
    enable: toggle({ describe: 'It acts again, behind all other faults.' }),
    disable: toggle({ describe: 'It stays, and acts nowhere.' }),
    ...changeFlags,
    ...apiFlags,
  },
  example: 'fault set redis latency_downstream latency=200 --probability 0.5',
  async run(values, { out, env }) {
    const { proxy, fault: name, 'name=value': words, enable, disable, json } = values
    if (enable && disable) throw new UsageError('--enable and --disable: expected one of them, got both')
    const fault = await callV1(values, env, async (client) => {
      const settings = await readFaultSettings(words, values, async () => (await client.fault(proxy, name)).type)
      const change = { ...settings, ...((enable || disable) && { enabled: enable }) }
      if (Object.keys(change).length > 0) return client.updateFault(proxy, name, change)
      throw new UsageError('nothing to change: expected NAME=VALUE or a flag such as --probability')
    })
    if (json) out.json(fault)
    else out.line(printable(`Changed on proxy ${proxy}: ${faultText(fault)}`))
  },
})
