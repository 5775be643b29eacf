// `faultline delete`: ends a proxy.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import { printable } from '../output.ts'

export const deleteProxy = defineCommand({
  name: 'delete',
  kind: 'toxiproxy',
  describe: 'Deletes a proxy, and closes its connections.',
  arguments: { name: 'the name of the proxy' },
  flags: apiFlags,
  example: 'delete redis',
  async run({ name, json, ...server }, { out, env }) {
    await callServer(server, env, (client) => client.deleteProxy(name))
    if (json) out.json({ deleted: name }) // the API's own answer is empty, which is not JSON
    else out.line(printable(`Deleted proxy ${name}`))
  },
})
