// `faultline heal`, `reset`, `stop` and `resume`: ways back to a network without faults.
import type { StatusView } from '../../admin/client/v1-answers.ts'
import type { V1Client } from '../../admin/client/v1-client.ts'
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand, type Command } from '../command.ts'

type Word = 'heal' | 'reset' | 'stop' | 'resume'

function define(word: Word, describe: string, done: (status: StatusView) => string): Command {
  return defineCommand({
    name: word,
    describe,
    arguments: {},
    flags: apiFlags,
    example: word,
    async run({ json, ...server }, { out, env }) {
      const status = await callV1(server, env, (client: V1Client) => client[word]())
      if (json) out.json(status)
      else out.line(done(status))
    },
  })
}

export const heal = define(
  'heal',
  'Removes all faults and heals all partitions; connections go on.',
  ({ proxies }) => `Healed: ${counted(proxies, 'proxy', 'proxies')} without faults`,
)

export const reset = define(
  'reset',
  'Heals, and enables every proxy.',
  ({ enabledProxies }) => `Reset: ${counted(enabledProxies, 'proxy', 'proxies')} enabled, without faults`,
)

export const stop = define(
  'stop',
  'Emergency stop: heals at once, and has the server refuse faults until "faultline resume".',
  () => 'Stopped: no fault acts, and none can be added until "faultline resume"',
)

export const resume = define('resume', 'Takes an emergency stop back.', () => 'Resumed: faults can be added again')

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
