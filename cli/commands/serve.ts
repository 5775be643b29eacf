// `faultline serve`: the admin server and its proxies, with the flags of Toxiproxy's server.
import { BlockList, isIP } from 'node:net'
import type { Logger } from 'pino'
import type { LoadedConfig } from '../../admin/index.ts'
import { formatAddress } from '../../proxy/address.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { version } from '../../proxy/version.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { integer, optional, port, text, toggle, toggleOff, withDefault, type Reader } from '../flags.ts'
import { createLogger, logLevels } from '../log.ts'
import { runUntilSignal } from '../shutdown.ts'
import { toStartError } from '../start-error.ts'

const host: Reader<string> = {
  placeholder: 'HOST',
  expected: 'a host name or an IP address, without a port',
  read: (given) => (isIP(given) > 0 || /^[\w.-]+$/.test(given) ? given : undefined),
}

const flags = {
  host: withDefault(host, 'localhost', { describe: 'Where the API listens; 0.0.0.0 for all interfaces.' }),
  port: withDefault(port, 8474, { describe: "The API's port; 0 picks a free one." }),
  config: optional(text('FILE'), { describe: 'A JSON file with the proxies to begin with, and their toxics.' }),
  seed: optional(integer(), {
    describe: 'Decides every random choice: the same seed gives the same faults.',
    remark: 'default a random one, which the log tells',
  }),
  files: optional(text('DIR'), { describe: 'The directory of files that faults may send. Without it none is read.' }),
  'proxy-metrics': toggleOff({ describe: "Whether /metrics has the proxies' traffic." }),
  'runtime-metrics': toggle({ describe: "Whether /metrics has the server's own memory and CPU." }),
  version: toggle({ describe: 'Shows the version.' }),
}

export const serve = defineCommand({
  name: 'serve',
  describe: 'Runs the server: the API, and the proxies that it is told to create.',
  arguments: {},
  flags,
  flagStyle: 'one-or-two-dashes',
  example: 'serve --port 8474 --config toxiproxy.json',
  notes: async () =>
    `Environment:\n  LOG_LEVEL  How much is logged: ${logLevels.join(', ')} (default info)\n\n` +
    'Ends on SIGINT or SIGTERM: removes all faults, closes all connections. A second signal ends it at once.',
  async run(values, { out, env }) {
    if (values.version) {
      out.line(`faultline ${version}`)
      return
    }
    const logger = createLogger(env)
    const { startAdminServer } = await import('../../admin/index.ts')
    const config = values.config === undefined ? { proxies: [], warnings: [] } : await readConfig(values.config)
    const host = values.host === 'localhost' ? '127.0.0.1' : values.host
    const options = {
      host,
      port: values.port,
      ...(values.seed !== undefined && { seed: values.seed }),
      ...(values.files !== undefined && { filesDirectory: values.files }),
      proxies: config.proxies,
      proxyMetrics: values['proxy-metrics'],
      runtimeMetrics: values['runtime-metrics'],
      logger,
    }
    await runUntilSignal(async () => {
      const server = await startAdminServer(options).catch((error: unknown) => {
        throw toStartError(error, {
          api: formatAddress(host, values.port),
          apiHint: 'choose another address with --host and --port',
          proxies: `--config ${values.config}`,
        })
      })
      const { seed } = server.network
      logger.info(
        { host, port: portOf(server.url), seed, version, proxies: config.proxies.length },
        'faultline started',
      )
      for (const warning of config.warnings) logger.warn({ config: values.config }, warning)
      warnIfOpen(logger, host)
      return {
        async close() {
          logger.info('faultline is stopping')
          await server.close()
          logger.info('faultline stopped')
        },
      }
    })
  },
})

async function readConfig(path: string): Promise<LoadedConfig> {
  const { loadConfig } = await import('../../admin/index.ts')
  try {
    return await loadConfig(path)
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    const where = error.message.includes(path) ? '--config' : `--config ${path}`
    throw new UsageError(`${where}: ${error.message}`, { cause: error })
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

function warnIfOpen(logger: Logger, host: string): void {
  const family = isIP(host)
  if (family > 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')) return
  logger.warn({ host }, 'the API may be reached from other machines, and there is no authentication')
}

/** A URL leaves out the port that its scheme implies. */
function portOf(url: string): number {
  return Number(new URL(url).port || 80)
}
