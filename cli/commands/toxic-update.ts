// `faultline toxic update`: changes a toxic, also on open connections.
import type { ProxyView, ToxicView } from '../../admin/toxiproxy-json.ts'
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { optional, required, share, text } from '../flags.ts'
import { printable } from '../output.ts'
import { attributeFlag, TOXIC_NAME_ALIAS } from '../toxic-flags.ts'
import { toxicText } from '../views.ts'

export const toxicUpdate = defineCommand({
  name: 'toxic update',
  kind: 'toxiproxy',
  describe: 'Changes attributes or toxicity of a toxic; what is not named stays.',
  arguments: { proxy: 'the name of the proxy' },
  flags: {
    name: required(text('NAME'), { short: 'n', alias: TOXIC_NAME_ALIAS, describe: 'Which toxic.' }),
    attribute: attributeFlag,
    toxicity: optional(share, { describe: 'The share of connections it acts on, 0 to 1.' }),
    ...apiFlags,
  },
  example: 'toxic update redis --name latency_downstream --attribute latency=200',
  async run({ proxy, name, attribute, toxicity, json, ...server }, { out, env }) {
    if (attribute.length === 0 && toxicity === undefined) {
      throw new UsageError('nothing to change: expected --attribute or --toxicity')
    }
    const { checkAttributes } = await import('../toxics.ts')
    const toxic = await callServer(server, env, async (client) => {
      const present = findToxic(await client.proxy(proxy), name)
      const attributes = present ? checkAttributes(present.type, attribute) : {} // without it, the server says so
      return client.updateToxic(proxy, name, { attributes, ...(toxicity !== undefined && { toxicity }) })
    })
    if (json) out.json(toxic)
    else out.line(printable(`Updated on proxy ${proxy}: ${toxicText(toxic)}`))
  },
})

function findToxic(proxy: ProxyView, name: string): ToxicView | undefined {
  return proxy.toxics.find((toxic) => toxic.name === name)
}
