// `faultline proxy enable` and `faultline proxy disable`.
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand, type Command } from '../command.ts'
import { proxyArgument } from '../names.ts'
import { printable } from '../output.ts'

function switchTo(word: 'enable' | 'disable', describe: string): Command {
  return defineCommand({
    name: `proxy ${word}`,
    describe,
    arguments: { name: proxyArgument },
    flags: apiFlags,
    example: `proxy ${word} redis`,
    async run({ name, json, ...server }, { out, env }) {
      const change = { enabled: word === 'enable' }
      const proxy = await callV1(server, env, (client) => client.updateProxy(name, change))
      if (json) out.json(proxy)
      else out.line(printable(`Proxy ${proxy.name} is now ${proxy.enabled ? 'enabled' : 'disabled'}`))
    },
  })
}

export const proxyEnable = switchTo('enable', 'Enables a proxy: it listens again.')

export const proxyDisable = switchTo('disable', 'Disables a proxy, which closes its connections; its faults stay.')
