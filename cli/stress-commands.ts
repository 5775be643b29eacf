// `faultline stress cpu`, and so on: a command for each type of stressors, with flags for its attributes. Imported when one
// of them is asked for: the schemas load slowly.
import type { TObject } from '@sinclair/typebox'
import type { V1Client } from '../admin/client/v1-client.ts'
import type { StressorView } from '../admin/client/v1-answers.ts'
import type { StressorDefinition } from '../resource-stressors/index.ts'
import { findStressorDefinition, stressorTypes } from '../resource-stressors/registry.ts'
import { apiFlags, callV1 } from './api.ts'
import { defineCommand, type Command, type FlagValues } from './command.ts'
import { UsageError } from './errors.ts'
import { duration, optional, text, toggle } from './flags.ts'
import { firstSentence } from './help.ts'
import { printable, type Output } from './output.ts'
import { attributeFlags, type AttributeFlag } from './schema-flags.ts'
import { reachedText, stressorText } from './stress-views.ts'
import { waitForEnd } from './stress-wait.ts'

const commonFlags = {
  name: optional(text('NAME'), { short: 'n', describe: 'Its name.', remark: 'default TYPE-NUMBER' }),
  ttl: optional(duration, { describe: 'It ends by itself after this time, e.g. 30s.', remark: 'default 60s' }),
  'ramp-up': optional(duration, { describe: 'It comes to its full height in this time.', remark: 'default at once' }),
  lease: optional(text('ID'), { describe: 'It ends with this lease.' }),
  'dry-run': toggle({ describe: 'Only says what it would do.' }),
  wait: toggle({ describe: 'Shows what it achieves, until it ends. Ctrl-C ends it.' }),
  ...apiFlags,
}

type CommonValues = FlagValues<typeof commonFlags>

/** What follows the type in the example; of a type that is not here, the flags that it needs. */
const examples: Readonly<Record<string, string>> = {
  cpu: '--load 80 --ttl 30s',
  memory: '--leave-free 1GiB --ramp-up 10s',
  'disk-io': '--bytes-per-second 20MiB --sync fdatasync',
  'disk-fill': '--leave-free 2GiB',
  inodes: '--count 20000',
  process: '--action hang --command postgres --ttl 10s',
  container: '--action pause --container shop-db-1 --ttl 10s',
  connections: '--target 127.0.0.1:5432 --count 100',
  'file-descriptors': '--count 100000',
  processes: '--count 1000',
  'page-cache': '--bytes 1GiB',
  'stress-ng': '--stressor cache --workers 2 --ttl 30s',
}

export function stressCommands(): Command[] {
  return stressorTypes().flatMap((type) => {
    const definition = findStressorDefinition(type)
    return definition ? [stressCommand(definition)] : []
  })
}

function stressCommand({ type, describe, schema }: StressorDefinition): Command {
  const attributes = attributeFlags(type, schema as unknown as TObject, Object.keys(commonFlags))
  const flags = { ...Object.fromEntries(attributes.map(({ name, flag }) => [name, flag])), ...commonFlags }
  const words = examples[type] ?? requiredWords(attributes)
  const name = `stress ${type}`
  return defineCommand({
    name,
    describe: firstSentence(describe),
    arguments: {},
    flags,
    example: words === '' ? name : `${name} ${words}`,
    notes: async () => describe.slice(firstSentence(describe).length).trim(),
    async run(values, { out, env }) {
      const common = values as unknown as CommonValues
      checkWait(common)
      const spec = specOf(type, attributes, values)
      const started = await callV1(common, env, (client) => startAndWait(client, spec, common, out))
      if (common.json) out.json(started)
    },
  })
}

function requiredWords(attributes: readonly AttributeFlag[]): string {
  const needed = attributes.filter(({ flag }) => flag.required)
  return needed.map(({ name, flag }) => `--${name} ${flag.choices?.[0] ?? flag.placeholder}`).join(' ')
}

function checkWait({ wait, 'dry-run': dryRun }: CommonValues): void {
  if (wait && dryRun) throw new UsageError('--wait: expected nothing beside --dry-run, which starts nothing')
}

/** What was not given is left to the server. */
function specOf(type: string, attributes: readonly AttributeFlag[], values: Readonly<Record<string, unknown>>) {
  const { name, ttl, 'ramp-up': rampUp, lease, 'dry-run': dryRun } = values as unknown as CommonValues
  const given = attributes.filter((flag) => values[flag.name] !== undefined)
  return {
    type,
    attributes: Object.fromEntries(given.map((flag) => [flag.attribute, values[flag.name]])),
    ...(name !== undefined && { name }),
    ...(ttl !== undefined && { ttlMs: ttl }),
    ...(rampUp !== undefined && { rampUpMs: rampUp }),
    ...(lease !== undefined && { lease }),
    ...(dryRun && { dryRun }),
  }
}

async function startAndWait(
  client: V1Client,
  spec: Parameters<V1Client['startStressor']>[0],
  { wait, json }: CommonValues,
  out: Output,
): Promise<StressorView> {
  const { events: since } = wait ? await client.status() : { events: 0 }
  const stressor = await client.startStressor(spec)
  if (!json) show(out, stressor)
  if (!wait) return stressor
  const ended = await waitForEnd(client, stressor, { since, ...(!json && { out }) })
  if (!json) out.line(printable(`${ended.name} has ended (${ended.reason}): ${reachedText(ended)}`))
  return ended
}

function show(out: Output, stressor: StressorView): void {
  out.line(printable(`${stressor.state === 'planned' ? 'Would start' : 'Started'} ${stressorText(stressor)}`))
  for (const note of stressor.notes) out.line(printable(`Note: ${note}`))
}
