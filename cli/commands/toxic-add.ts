// `faultline toxic add`: breaks a proxy's connections, also those that are open.
import { apiFlags, callServer } from '../api.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { optional, required, share, text, toggle, withDefault } from '../flags.ts'
import { printable } from '../output.ts'
import { attributeFlag, TOXIC_NAME_ALIAS } from '../toxic-flags.ts'
import { toxicText } from '../views.ts'

export const toxicAdd = defineCommand({
  name: 'toxic add',
  kind: 'toxiproxy',
  describe: 'Adds a toxic to a proxy, also on open connections.',
  arguments: { proxy: 'the name of the proxy' },
  flags: {
    type: required(text('TYPE'), { short: 't', describe: 'What goes wrong: see below.' }),
    name: optional(text('NAME'), {
      short: 'n',
      alias: TOXIC_NAME_ALIAS,
      describe: 'Its name.',
      remark: 'default TYPE_downstream or TYPE_upstream',
    }),
    attribute: attributeFlag,
    toxicity: withDefault(share, 1, { describe: 'The share of connections it acts on, 0 to 1.' }),
    upstream: toggle({ short: 'u', describe: 'Acts on what clients send to the server.' }),
    downstream: toggle({ short: 'd', describe: 'Acts on what the server sends to clients.', remark: 'the default' }),
    ...apiFlags,
  },
  example: 'toxic add redis --type latency --attribute latency=1000 --attribute jitter=50',
  notes: async () => (await import('../toxics.ts')).describeToxics(),
  async run({ proxy, type, name, attribute, toxicity, upstream, downstream, json, ...server }, { out, env }) {
    if (upstream && downstream) throw new UsageError('--upstream and --downstream: expected one of them, got both')
    const { checkAttributes, unknownType } = await import('../toxics.ts')
    const attributes = checkAttributes(type, attribute)
    const stream = upstream ? 'upstream' : 'downstream'
    const newToxic = { type, stream, toxicity, attributes, ...(name !== undefined && { name }) }
    const toxic = await callServer(server, env, async (client) => {
      try {
        return await client.addToxic(proxy, newToxic)
      } catch (error) {
        throw isTypeRefused(error) ? unknownType(type) : error
      }
    })
    if (json) out.json(toxic)
    else out.line(printable(`Added to proxy ${proxy}: ${toxicText(toxic)}`))
  },
})

/** Which types there are is for the server to say: Toxiproxy's may have some of its own. */
function isTypeRefused(error: unknown): boolean {
  return error instanceof Error && 'reason' in error && error.reason === 'invalid toxic type'
}
