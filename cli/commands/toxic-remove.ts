// `faultline toxic remove`: ends a toxic, also on open connections.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import { required, text } from '../flags.ts'
import { printable } from '../output.ts'
import { TOXIC_NAME_ALIAS } from '../toxic-flags.ts'

export const toxicRemove = defineCommand({
  name: 'toxic remove',
  alias: 'toxic delete', // Toxiproxy's CLI has both
  kind: 'toxiproxy',
  describe: 'Removes a toxic; what it held back goes on at once.',
  arguments: { proxy: 'the name of the proxy' },
  flags: {
    name: required(text('NAME'), { short: 'n', alias: TOXIC_NAME_ALIAS, describe: 'Which toxic.' }),
    ...apiFlags,
  },
  example: 'toxic remove redis --name latency_downstream',
  async run({ proxy, name, json, ...server }, { out, env }) {
    await callServer(server, env, (client) => client.removeToxic(proxy, name))
    if (json) out.json({ removed: name, proxy }) // the API's own answer is empty, which is not JSON
    else out.line(printable(`Removed from proxy ${proxy}: ${name}`))
  },
})
