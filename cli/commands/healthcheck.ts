// `faultline healthcheck`: for containers, whose health is an exit code.
import { serverFlags, apiFlags, callV1 } from '../api.ts'
import { defineCommand } from '../command.ts'
import { duration, withDefault } from '../flags.ts'

const DEFAULT_TIMEOUT_MS = 3000

export const healthcheck = defineCommand({
  name: 'healthcheck',
  describe: 'Asks the server whether it is well: exit code 0 if it is, 1 if not.',
  arguments: {},
  flags: {
    timeout: {
      ...withDefault(duration, DEFAULT_TIMEOUT_MS, { describe: 'How long it may take to answer.' }),
      remark: `default ${DEFAULT_TIMEOUT_MS / 1000}s`,
    },
    host: serverFlags.host,
    json: apiFlags.json,
  },
  example: 'healthcheck --timeout 1s',
  async run({ timeout, host, json }, { out, env }) {
    const server = { host, 'token-file': undefined } // health needs no token
    const health = await callV1(server, env, (client) => client.health(), { timeoutMs: timeout })
    if (json) out.json(health)
    else out.line('healthy')
  },
})
