// `faultline watch`: what happens on a server, as it happens.
import type { FeedEntryView } from '../../admin/client/v1-answers.ts'
import type { FeedOptions } from '../../admin/client/feed.ts'
import type { V1Client } from '../../admin/client/v1-client.ts'
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { integer, optional, text, type Reader } from '../flags.ts'
import { printable } from '../output.ts'
import { abortOnSignal } from '../shutdown.ts'

const typeList: Reader<readonly string[]> = {
  placeholder: 'TYPES',
  expected: 'types of events, separated by commas',
  read: (given) => {
    const types = given.split(',').map((type) => type.trim())
    return types.includes('') ? undefined : types
  },
}

export const watch = defineCommand({
  name: 'watch',
  describe: 'Shows what happens: on a terminal as a live table, else as a line an event. Ctrl-C ends it.',
  arguments: {},
  flags: {
    types: optional(typeList, { describe: 'Only events of these types, e.g. injection,fault_added.' }),
    proxy: optional(text('NAME'), { describe: 'Only this proxy.' }),
    since: optional(integer(0), { describe: 'Begins with what came after the event of this sequence.' }),
    count: optional(integer(1), { describe: 'Ends after so many events, where it is no table.' }),
    host: apiFlags.host,
    json: { ...apiFlags.json, describe: 'Prints every event as a line of JSON.' },
    'token-file': apiFlags['token-file'],
  },
  example: 'watch --types injection,fault_added,fault_removed',
  notes: async () => 'When the connection breaks it is made again, and goes on with the first event that was missed.',
  async run({ types, proxy, since, count, json, ...server }, { out, stderr, env }) {
    const signal = abortOnSignal()
    await callV1(server, env, async (client) => {
      if (out.isScreen && !json) {
        const { watchLive } = await import('../watch/live.ts')
        const { tableTypes } = await import('../watch/table-types.ts')
        await watchLive(client, out, { types: types ?? tableTypes, proxy, since, signal })
      } else {
        const { entryCells } = await import('../watch/entry-line.ts')
        const print = json
          ? (entry: FeedEntryView) => out.line(JSON.stringify(entry))
          : (entry: FeedEntryView) => out.table([entryCells(entry)])
        const broken = (reason: string, retryMs: number): void => {
          stderr.write(`faultline: ${printable(reason)}; trying again in ${retryMs} ms\n`)
        }
        await printFeed(client, { types, proxy, since, signal, broken }, print, count)
      }
    })
  },
})

async function printFeed(
  client: V1Client,
  feed: FeedOptions,
  print: (entry: FeedEntryView) => void,
  count = Infinity,
): Promise<void> {
  let printed = 0
  for await (const entry of client.feed(feed)) {
    print(entry)
    if (++printed >= count) return
  }
}
