// `faultline proxy show`: one proxy with its faults and counters.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { proxyArgument } from '../names.ts'
import type { Cell } from '../output.ts'
import { attributesText } from '../views.ts'
import { actsOn, endOf, stateCellOf } from '../v1-views.ts'

export const proxyShow = defineCommand({
  name: 'proxy show',
  describe: 'Shows a proxy, its traffic and its faults.',
  arguments: { name: proxyArgument },
  flags: apiFlags,
  example: 'proxy show redis',
  async run({ name, json, ...server }, { out, env }) {
    const proxy = await callV1(server, env, (client) => client.proxy(name))
    if (json) {
      out.json(proxy)
      return
    }
    const { counters, traffic, from, to } = proxy
    out.table([
      ['Name', proxy.name],
      ['Protocol', proxy.protocol],
      ['Listen', proxy.listen],
      ['Upstream', proxy.upstream],
      ...(from === undefined && to === undefined ? [] : [['Link', `${from ?? '?'} → ${to ?? '?'}`]]),
      ['State', stateCellOf(proxy)],
      ['Connections', `${proxy.connections} live, ${counters.acceptedConnections} accepted`],
      ['Failed', `${counters.failedDials} dials, ${counters.failedAccepts} accepts`],
      ['Upstream bytes', `${traffic.upstream.receivedBytes} received, ${traffic.upstream.sentBytes} sent`],
      ['Downstream bytes', `${traffic.downstream.receivedBytes} received, ${traffic.downstream.sentBytes} sent`],
    ])
    out.line()
    const rows = proxy.faults.map((fault): Cell[] => [
      fault.name,
      fault.type,
      fault.direction,
      attributesText(fault),
      actsOn(fault),
      endOf(fault),
      String(fault.injections),
    ])
    if (rows.length === 0) out.line('It has no faults. Add one with "faultline fault add".')
    else out.table([['FAULT', 'TYPE', 'DIRECTION', 'ATTRIBUTES', 'ACTS ON', 'ENDS', 'INJECTIONS'], ...rows])
  },
})
