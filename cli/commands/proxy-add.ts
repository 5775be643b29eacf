// `faultline proxy add`: a new proxy, of any protocol.
import type { ProxySpec } from '../../proxy/index.ts'
import { apiFlags, callV1 } from '../api.ts'
import { remainingArguments } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { address, oneOf, optional, required, text, toggle, withDefault } from '../flags.ts'
import { printable } from '../output.ts'
import { readPairs, toSettings } from '../settings.ts'

/** As a type, so that a protocol can't be forgotten: the registry itself loads slowly. */
const protocolNames: Readonly<Record<NonNullable<ProxySpec['protocol']>, true>> = {
  tcp: true,
  http: true,
  postgres: true,
  udp: true,
}

const protocol = oneOf('PROTOCOL', Object.keys(protocolNames) as (keyof typeof protocolNames)[])

export const proxyAdd = defineCommand({
  name: 'proxy add',
  describe: 'Adds a proxy, and starts it.',
  arguments: {
    name: 'the name of the new proxy',
    'option=value': remainingArguments("options of its protocol, e.g. strict=true; each protocol's guide lists them"),
  },
  flags: {
    upstream: required(address, { short: 'u', describe: 'host:port of the server that it leads to.' }),
    listen: optional(address, {
      short: 'l',
      describe: 'host:port to accept clients on; port 0 picks a free one.',
      remark: 'default 127.0.0.1:0',
    }),
    protocol: withDefault(protocol, 'tcp', {
      short: 'p',
      describe: `What goes through it: ${Object.keys(protocolNames).join(', ')}.`,
    }),
    from: optional(text('SERVICE'), { describe: 'The service whose clients use it; for partitions.' }),
    to: optional(text('SERVICE'), { describe: 'The service that it leads to; for partitions.' }),
    disabled: toggle({ describe: 'Does not start it.' }),
    ...apiFlags,
  },
  example: 'proxy add shop --listen 127.0.0.1:18081 --upstream 127.0.0.1:18080 --protocol http',
  async run(values, { out, env }) {
    const { name, 'option=value': words, upstream, listen, protocol, from, to, disabled, json, ...server } = values
    const spec: ProxySpec = {
      ...(await toSettings(readPairs(words, 'OPTION=VALUE'))),
      name,
      upstream,
      protocol,
      enabled: !disabled,
      ...(listen !== undefined && { listen }),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    }
    const proxy = await callV1(server, env, (client) => client.createProxy(spec))
    if (json) out.json(proxy)
    else {
      const state = proxy.enabled ? '' : ' (disabled)'
      out.line(printable(`Added proxy ${proxy.name}: ${proxy.listen} → ${proxy.upstream} (${proxy.protocol})${state}`))
    }
  },
})
