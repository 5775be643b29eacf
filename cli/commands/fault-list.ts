// `faultline fault list`: what goes wrong, on one proxy or all.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { optionalProxyArgument } from '../names.ts'
import type { Cell } from '../output.ts'
import { attributesText } from '../views.ts'
import { actsOn, endOf } from '../v1-views.ts'

export const faultList = defineCommand({
  name: 'fault list',
  describe: 'Shows the faults of a proxy, or of all proxies.',
  arguments: { proxy: optionalProxyArgument },
  flags: apiFlags,
  example: 'fault list redis',
  async run({ proxy, json, ...server }, { out, env }) {
    const faults = await callV1(server, env, (client) =>
      proxy === undefined ? client.faults() : client.faultsOf(proxy),
    )
    if (json) {
      out.json(faults)
      return
    }
    const rows = faults.map((fault): Cell[] => [
      fault.proxy,
      fault.name,
      fault.type,
      fault.direction,
      attributesText(fault),
      actsOn(fault),
      endOf(fault),
      String(fault.injections),
    ])
    if (rows.length === 0) out.line('There are no faults. Add one with "faultline fault add".')
    else out.table([['PROXY', 'FAULT', 'TYPE', 'DIRECTION', 'ATTRIBUTES', 'ACTS ON', 'ENDS', 'INJECTIONS'], ...rows])
  },
})
