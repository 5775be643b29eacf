// `faultline inspect`: one proxy with its toxics.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import type { Cell } from '../output.ts'
import { attributesText, stateCell } from '../views.ts'

export const inspect = defineCommand({
  name: 'inspect',
  kind: 'toxiproxy',
  describe: 'Shows a proxy and its toxics.',
  arguments: { name: 'the name of the proxy' },
  flags: apiFlags,
  example: 'inspect redis',
  async run({ name, json, ...server }, { out, env }) {
    const proxy = await callServer(server, env, (client) => client.proxy(name))
    if (json) {
      out.json(proxy)
      return
    }
    out.table([
      ['Name', proxy.name],
      ['Listen', proxy.listen],
      ['Upstream', proxy.upstream],
      ['State', stateCell(proxy)],
    ])
    out.line()
    const rows = proxy.toxics.map((toxic): Cell[] => [
      toxic.name,
      toxic.type,
      toxic.stream,
      String(toxic.toxicity),
      attributesText(toxic),
    ])
    if (rows.length === 0) out.line('It has no toxics. Add one with "faultline toxic add".')
    else out.table([['TOXIC', 'TYPE', 'STREAM', 'TOXICITY', 'ATTRIBUTES'], ...rows])
  },
})
