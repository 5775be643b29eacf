// `faultline proxy list`: all proxies of a server, with what goes through them.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import type { Cell } from '../output.ts'
import { stateCellOf } from '../v1-views.ts'

export const proxyList = defineCommand({
  name: 'proxy list',
  describe: 'Shows all proxies, with their connections and faults.',
  arguments: {},
  flags: apiFlags,
  example: 'proxy list',
  async run({ json, ...server }, { out, env }) {
    const proxies = await callV1(server, env, (client) => client.proxies())
    if (json) {
      out.json(proxies)
      return
    }
    const rows = proxies
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((proxy): Cell[] => [
        proxy.name,
        proxy.protocol,
        proxy.listen,
        proxy.upstream,
        stateCellOf(proxy),
        String(proxy.connections),
        proxy.faults.map((fault) => fault.name).join(', ') || 'none',
      ])
    if (rows.length === 0) out.line('There are no proxies. Add one with "faultline proxy add".')
    else out.table([['NAME', 'PROTOCOL', 'LISTEN', 'UPSTREAM', 'STATE', 'CONNECTIONS', 'FAULTS'], ...rows])
  },
})
