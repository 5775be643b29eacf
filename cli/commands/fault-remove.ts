// `faultline fault rm`: ends a fault, also on open connections.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { faultArgument, proxyArgument } from '../names.ts'
import { printable } from '../output.ts'

export const faultRemove = defineCommand({
  name: 'fault rm',
  alias: 'fault remove',
  describe: 'Removes a fault; what it held back goes on at once.',
  arguments: { proxy: proxyArgument, fault: faultArgument },
  flags: apiFlags,
  example: 'fault rm redis latency_downstream',
  async run({ proxy, fault, json, ...server }, { out, env }) {
    await callV1(server, env, (client) => client.removeFault(proxy, fault))
    if (json) out.json({ removed: fault, proxy }) // the API's own answer is empty, which is not JSON
    else out.line(printable(`Removed from proxy ${proxy}: ${fault}`))
  },
})
