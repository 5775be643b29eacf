// `faultline create`: a new proxy.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import { address, required, toggle } from '../flags.ts'
import { printable } from '../output.ts'

export const create = defineCommand({
  name: 'create',
  kind: 'toxiproxy',
  describe: 'Creates a proxy, and starts it.',
  arguments: { name: 'the name of the new proxy' },
  flags: {
    listen: required(address, { short: 'l', describe: 'host:port to accept clients on; port 0 picks a free one.' }),
    upstream: required(address, { short: 'u', describe: 'host:port of the server that it leads to.' }),
    disabled: toggle({ describe: 'Does not start it.' }),
    ...apiFlags,
  },
  example: 'create redis --listen 127.0.0.1:26379 --upstream 127.0.0.1:6379',
  async run({ name, listen, upstream, disabled, json, ...server }, { out, env }) {
    const proxy = await callServer(server, env, (client) =>
      client.createProxy({ name, listen, upstream, enabled: !disabled }),
    )
    if (json) out.json(proxy)
    else {
      const state = proxy.enabled ? '' : ' (disabled)'
      out.line(printable(`Created proxy ${proxy.name}: ${proxy.listen} → ${proxy.upstream}${state}`))
    }
  },
})
