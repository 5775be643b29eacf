// `faultline list`: all proxies of a server.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import type { Cell } from '../output.ts'
import { stateCell } from '../views.ts'

export const list = defineCommand({
  name: 'list',
  kind: 'toxiproxy',
  describe: 'Shows all proxies.',
  arguments: {},
  flags: apiFlags,
  example: 'list',
  async run({ json, ...server }, { out, env }) {
    const proxies = await callServer(server, env, (client) => client.proxies())
    if (json) {
      out.json(proxies)
      return
    }
    const rows = Object.values(proxies)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((proxy): Cell[] => [
        proxy.name,
        proxy.listen,
        proxy.upstream,
        stateCell(proxy),
        proxy.toxics.map((toxic) => toxic.name).join(', ') || 'none',
      ])
    if (rows.length === 0) out.line('There are no proxies. Create one with "faultline create".')
    else out.table([['NAME', 'LISTEN', 'UPSTREAM', 'STATE', 'TOXICS'], ...rows])
  },
})
