// `faultline serve`: the admin server and its proxies, with the flags of Toxiproxy's server.
import { isIP } from 'node:net'
import type { AdminServerOptions } from '../../admin/index.ts'
import { limitsOf, securityOf } from '../../admin/config/admin-settings.ts'
import type { AdminSettings } from '../../admin/config/schema.ts'
import { formatAddress, parseAddress } from '../../proxy/address.ts'
import { version } from '../../proxy/version.ts'
import { defineCommand, type Surroundings } from '../command.ts'
import { UsageError } from '../errors.ts'
import { integer, optional, port, repeatable, text, toggle, toggleOff, type Reader } from '../flags.ts'
import { createLogger, logLevels } from '../log.ts'
import { followFiles, namesOfFiles, readFiles } from '../serve-files.ts'
import { runUntilSignal } from '../shutdown.ts'
import { toStartError } from '../start-error.ts'

const host: Reader<string> = {
  placeholder: 'HOST',
  expected: 'a host name or an IP address, without a port',
  read: (given) => (isIP(given) > 0 || /^[\w.-]+$/.test(given) ? given : undefined),
}

const flags = {
  host: optional(host, {
    describe: 'Where the API listens; 0.0.0.0 for all interfaces.',
    remark: 'default localhost, or as the configuration says',
  }),
  port: optional(port, {
    describe: "The API's port; 0 picks a free one.",
    remark: 'default 8474, or as the configuration says',
  }),
  config: optional(text('FILE'), {
    describe: "Proxies with their faults in YAML or JSON, or in Toxiproxy's JSON; changes take hold at once.",
  }),
  state: optional(text('FILE'), { describe: 'Keeps proxies and faults, also those of the API, across restarts.' }),
  seed: optional(integer(), {
    describe: 'Decides every random choice: the same seed gives the same faults.',
    remark: 'default a random one, which the log tells',
  }),
  files: optional(text('DIR'), { describe: 'The directory of files that faults may send. Without it none is read.' }),
  'audit-log': optional(text('FILE'), {
    describe: 'Gets a line of JSON for every request that could change something; - = stdout.',
  }),
  'allowed-host': repeatable(host, {
    describe: 'Another name under which clients reach the API; .example.com for all names below that.',
  }),
  'proxy-metrics': toggleOff({ describe: "Whether /metrics has the proxies' traffic." }),
  stressors: toggleOff({ describe: 'Whether stressors may be started, which press this machine.' }),
  'experiment-programs': toggle({
    describe: 'Whether experiments that come over the API may start programs on this machine.',
  }),
  'experiment-webhooks': toggle({
    describe: 'Whether experiments that come over the API may tell webhooks how they go.',
  }),
  'runtime-metrics': toggle({ describe: "Whether /metrics has the server's own memory and CPU." }),
  version: toggle({ describe: 'Shows the version.' }),
}

export const serve = defineCommand({
  name: 'serve',
  describe: 'Runs the server: the API, and the proxies that it is told to create.',
  arguments: {},
  flags,
  flagStyle: 'one-or-two-dashes',
  example: 'serve --config faultline.yaml',
  notes: async () =>
    `Environment:\n  LOG_LEVEL        How much is logged: ${logLevels.join(', ')} (default info)\n` +
    '  FAULTLINE_TOKEN  What clients must present as "Authorization: Bearer"; without it, nothing\n\n' +
    'Ends on SIGINT or SIGTERM: removes all faults, ends all stressors, closes all connections. A second signal ends it at once.\n' +
    'SIGHUP has the configuration read again.',
  async run(values, { out, env }) {
    if (values.version) {
      out.line(`faultline ${version}`)
      return
    }
    const logger = await createLogger(out, env)
    const files = await readFiles(values)
    const { startAdminServer } = await import('../../admin/index.ts')
    const { admin = {}, seed: configSeed } = files.config ?? {}
    const { host, port: portNumber } = addressOf(values, admin)
    const seedGiven = values.seed ?? configSeed
    const filesDirectory = values.files ?? admin.filesDirectory
    const options: AdminServerOptions = {
      ...limitsOf(admin),
      ...securityOf(admin),
      host,
      port: portNumber,
      ...(seedGiven !== undefined && { seed: seedGiven }),
      ...(filesDirectory !== undefined && { filesDirectory }),
      ...readToken(env),
      ...(values['audit-log'] !== undefined && { auditLog: values['audit-log'] }),
      allowedHosts: [...(admin.allowedHosts ?? []), ...values['allowed-host']],
      proxies: files.beginning.proxies,
      proxyMetrics: values['proxy-metrics'],
      experimentPrograms: values['experiment-programs'],
      experimentWebhooks: values['experiment-webhooks'],
      runtimeMetrics: values['runtime-metrics'],
      ...(!values.stressors && { stressors: false as const }),
      logger,
    }
    await runUntilSignal(async () => {
      const server = await startAdminServer(options).catch((error: unknown) => {
        throw toStartError(error, {
          api: formatAddress(host, portNumber),
          apiHint: 'choose another address with --host and --port',
          proxies: namesOfFiles(values),
        })
      })
      const { seed } = server.network
      logger.info(
        { host, port: portOf(server.url), seed, version, proxies: files.beginning.proxies.length },
        'faultline started',
      )
      const following = await followFiles(files, server, logger).catch(async (error: unknown) => {
        await server.close()
        throw error
      })
      return {
        async close() {
          logger.info('faultline is stopping')
          await following.close() // before the faults go, which are to be kept
          await server.close()
          logger.info('faultline stopped')
        },
      }
    })
  },
})

/** What was typed comes before what the file says. */
function addressOf(
  typed: { readonly host: string | undefined; readonly port: number | undefined },
  { listen = '127.0.0.1:8474' }: AdminSettings,
): { host: string; port: number } {
  const file = parseAddress(listen, 'admin.listen')
  const name = typed.host ?? (file.host === '' ? '0.0.0.0' : file.host)
  return { host: name === 'localhost' ? '127.0.0.1' : name, port: typed.port ?? file.port }
}

/** Not by a reader, which would show the token. @throws UsageError */
function readToken(env: Surroundings['env']): { readonly token?: string } {
  const token = env['FAULTLINE_TOKEN'] ?? ''
  if (token === '') return {}
  if (/^[!-~]+$/.test(token)) return { token }
  throw new UsageError('FAULTLINE_TOKEN: expected visible ASCII characters without spaces')
}

/** A URL leaves out the port that its scheme implies. */
function portOf(url: string): number {
  return Number(new URL(url).port || 80)
}
