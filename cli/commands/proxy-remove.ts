// `faultline proxy rm`: ends a proxy.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { proxyArgument } from '../names.ts'
import { printable } from '../output.ts'

export const proxyRemove = defineCommand({
  name: 'proxy rm',
  alias: 'proxy remove',
  describe: 'Removes a proxy, and closes its connections.',
  arguments: { name: proxyArgument },
  flags: apiFlags,
  example: 'proxy rm redis',
  async run({ name, json, ...server }, { out, env }) {
    await callV1(server, env, (client) => client.removeProxy(name))
    if (json) out.json({ removed: name }) // the API's own answer is empty, which is not JSON
    else out.line(printable(`Removed proxy ${name}`))
  },
})
