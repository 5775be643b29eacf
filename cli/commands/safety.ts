// `faultline heal`, `reset`, `stop` and `resume`: ways back to a network without faults, and a machine without stressors.
import type { EndedView, StatusView } from '../../admin/client/v1-answers.ts'
import type { V1Client } from '../../admin/client/v1-client.ts'
import { apiFlags, callV1 } from '../api.ts'
import { defineCommand, type Command } from '../command.ts'

type Word = 'heal' | 'reset' | 'stop' | 'resume'

function define<W extends Word>(
  word: W,
  describe: string,
  done: (status: Awaited<ReturnType<V1Client[W]>>) => string,
): Command {
  return defineCommand({
    name: word,
    describe,
    arguments: {},
    flags: apiFlags,
    example: word,
    async run({ json, ...server }, { out, env }) {
      const status = await callV1(server, env, (client: V1Client): Promise<StatusView> => client[word]())
      if (json) out.json(status)
      else out.line(done(status as Awaited<ReturnType<V1Client[W]>>))
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
  'Heals, ends all stressors, and enables every proxy.',
  (status) =>
    `Reset: ${counted(status.enabledProxies, 'proxy', 'proxies')} enabled, without faults${endedText(status)}`,
)

export const stop = define(
  'stop',
  'Emergency stop: heals at once, kills all stressors, and has the server refuse both until "faultline resume".',
  (status) => {
    const left =
      status.stressors > 0 ? `; ${counted(status.stressors, 'stressor', 'stressors')} can't be ended yet` : ''
    return `Stopped: no fault acts, and none can be added until "faultline resume"${endedText(status)}${left}`
  },
)

export const resume = define('resume', 'Takes an emergency stop back.', () => 'Resumed: faults can be added again')

/** Nothing is said of stressors where there were none. */
function endedText({ endedStressors }: EndedView): string {
  return endedStressors === 0 ? '' : `; ${counted(endedStressors, 'stressor', 'stressors')} ended`
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}
