// `faultline toggle`: switches a proxy off and on.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import { printable } from '../output.ts'

export const toggleProxy = defineCommand({
  name: 'toggle',
  kind: 'toxiproxy',
  describe: 'Disables a proxy, which closes its connections, or enables a disabled one.',
  arguments: { name: 'the name of the proxy' },
  flags: apiFlags,
  example: 'toggle redis',
  async run({ name, json, ...server }, { out, env }) {
    const proxy = await callServer(server, env, async (client) => {
      const { enabled } = await client.proxy(name)
      return client.updateProxy(name, { enabled: !enabled })
    })
    if (json) out.json(proxy)
    else out.line(printable(`Proxy ${proxy.name} is now ${proxy.enabled ? 'enabled' : 'disabled'}`))
  },
})
