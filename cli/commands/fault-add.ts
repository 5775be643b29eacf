// `faultline fault add`: breaks a proxy's connections, also those that are open. Any type of the registry.
import { callV1, apiFlags } from '../api.ts'
import { argument, remainingArguments } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { changeFlags, readFaultSettings } from '../fault-flags.ts'
import { duration, oneOf, optional, text, toggle } from '../flags.ts'
import { faultTypeChoices, proxyArgument } from '../names.ts'
import { printable } from '../output.ts'
import { faultText } from '../v1-views.ts'

export const faultAdd = defineCommand({
  name: 'fault add',
  describe: 'Adds a fault to a proxy, also on open connections.',
  arguments: {
    proxy: proxyArgument,
    type: argument('what goes wrong: a type that "faultline faults" lists', { choices: faultTypeChoices }),
    'name=value': remainingArguments('attributes of the type, e.g. latency=1000; values that are no text are JSON'),
  },
  flags: {
    name: optional(text('NAME'), { short: 'n', describe: 'Its name.', remark: 'default TYPE_DIRECTION, or TYPE' }),
    direction: optional(oneOf('DIRECTION', ['upstream', 'downstream', 'both']), {
      short: 'd',
      describe: 'What it acts on: what clients send (upstream) or get (downstream).',
      remark: 'upstream, downstream or both; default downstream',
    }),
    ttl: optional(duration, { describe: 'It ends by itself after this time, e.g. 30s.' }),
    lease: optional(text('ID'), { describe: 'It ends with this lease.' }),
    disabled: toggle({ describe: 'It acts nowhere until it is enabled.' }),
    ...changeFlags,
    ...apiFlags,
  },
  example: 'fault add redis latency latency=1000 jitter=50 --ttl 30s',
  notes: async () => 'All types: faultline faults. One with its attributes: faultline faults TYPE.',
  async run(values, { out, env }) {
    const { proxy, type, 'name=value': words, name, direction, ttl, lease, disabled, json } = values
    const settings = await readFaultSettings(words, values, async () => type)
    const spec = {
      type,
      ...(name !== undefined && { name }),
      ...(direction !== undefined && { direction }),
      ...(ttl !== undefined && { ttlMs: ttl }),
      ...(lease !== undefined && { lease }),
      ...(disabled && { enabled: false }),
      ...settings,
    }
    const fault = await callV1(values, env, (client) => client.addFault(proxy, spec))
    if (json) out.json(fault)
    else out.line(printable(`Added to proxy ${proxy}: ${faultText(fault)}`))
  },
})
