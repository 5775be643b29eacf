// The files of `faultline serve`: the configuration, which is followed as it changes, and the state, which is kept.
import type { Logger } from 'pino'
import type { ConfigReloader, ReloadReport } from '../admin/config/reload.ts'
import type { ConfigProblem } from '../admin/config/config-error.ts'
import type { ServerEvent, ServerLog } from '../admin/feed/server-log.ts'
import type { AdminServer, LoadedConfig } from '../admin/index.ts'
import type { Beginning } from '../admin/state/restore.ts'
import type { StateKeeper } from '../admin/state/state-keeper.ts'
import { isFaultlineError } from '../proxy/errors.ts'
import type { Network } from '../proxy/index.ts'
import { CommandError, UsageError } from './errors.ts'
import type { Running } from './shutdown.ts'

/** As they were given by flags. */
export interface FileFlags {
  readonly config: string | undefined
  readonly state: string | undefined
  /** The directory of files that faults may send. */
  readonly files: string | undefined
}

/** What the files say at the start. */
export interface ReadFiles {
  readonly flags: FileFlags
  readonly config: LoadedConfig | undefined
  readonly beginning: Beginning
}

/** @throws UsageError for what is wrong in a file; nothing has been started */
export async function readFiles(flags: FileFlags): Promise<ReadFiles> {
  const { loadConfig } = await import('../admin/config/load.ts')
  const { beginWith } = await import('../admin/state/restore.ts')
  const { readState } = await import('../admin/state/state-file.ts')
  const { config: path, state: statePath, files: filesDirectory } = flags
  const config =
    path === undefined ? undefined : await asUsage('config', path, () => loadConfig(path, { filesDirectory }))
  const state = statePath === undefined ? undefined : await asUsage('state', statePath, () => readState(statePath))
  const beginning = beginWith(state, {
    config: config?.proxies,
    maxTtlMs: config?.admin.maxTtlMs,
    filesDirectory: filesDirectory ?? config?.admin.filesDirectory,
  })
  return { flags, config, beginning }
}

async function asUsage<Result>(flag: string, path: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read()
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    // Of several problems the first one: the output of a server that does not start is read in a log.
    const [first = '', ...more] = error.message.split('\n')
    const where = first.includes(path) ? `--${flag}` : `--${flag} ${path}`
    const rest = more.length === 0 ? '' : `; and ${more.length} more, which "faultline validate ${path}" shows`
    throw new UsageError(`${where}: ${first}${rest}`, { cause: error })
  }
}

/** Where the proxies come from, for messages. */
export function namesOfFiles({ config, state }: FileFlags): string {
  return [
    ...(config === undefined ? [] : [`--config ${config}`]),
    ...(state === undefined ? [] : [`--state ${state}`]),
  ].join(', ')
}

/**
 * From now on a changed configuration takes hold and changes are kept.
 *
 * @throws CommandError if the state can't be written
 */
export async function followFiles(
  files: ReadFiles,
  { network, events }: Pick<AdminServer, 'network' | 'events'>,
  logger: Logger,
): Promise<Running> {
  const { flags, config, beginning } = files
  const { finishBeginning } = await import('../admin/state/restore.ts')
  for (const warning of config?.warnings ?? []) logger.warn({ config: flags.config }, warning)
  const lost = [...beginning.warnings, ...finishBeginning(network, beginning)]
  for (const warning of lost) logger.warn({ state: flags.state }, warning)

  let keeper: StateKeeper | undefined
  const told = { logger, events, reloaded: () => keeper?.saveSoon() }
  const reloader = config && (await follow(config, flags, network, told))
  try {
    keeper = await keep(flags.state, network, logger, reloader)
  } catch (error) {
    await reloader?.close()
    throw error
  }
  const onHangUp = (): void => void reloader?.reload()
  if (reloader) process.on('SIGHUP', onHangUp)
  return {
    async close() {
      process.off('SIGHUP', onHangUp)
      await reloader?.close()
      await keeper?.close()
    },
  }
}

/** Who hears of the configuration. */
interface Told {
  readonly logger: Logger
  readonly events: ServerLog
  readonly reloaded: () => void
}

async function follow(
  loaded: LoadedConfig,
  { files: filesDirectory }: FileFlags,
  network: Network,
  { logger, events, reloaded }: Told,
): Promise<ConfigReloader> {
  const { ConfigReloader } = await import('../admin/config/reload.ts')
  const config = loaded.path
  const append = (type: ServerEvent['type'], detail: ServerEvent['detail']): void => {
    events.append({ timeMs: network.clock.wallTimeMs(), type, detail })
  }
  return ConfigReloader.start({
    network,
    loaded,
    filesDirectory,
    onReloaded(report) {
      logReload(logger, config, report)
      const { created, removed, changed, failed } = report
      const counts = { created: created.length, removed: removed.length, changed: changed.length }
      append('config_reloaded', { file: config, ...counts, failed: failed.length })
      reloaded()
    },
    onRejected(error) {
      for (const line of error.message.split('\n')) logger.error({ config, event: 'config_rejected' }, line)
      append('config_rejected', rejectionOf(config, error))
    },
    onUnwatched(error) {
      logger.warn({ config, err: error }, 'the configuration is not watched: SIGHUP has it read again')
    },
  })
}

/** The first of its problems, and how many there are; of a file that could not be read, why. */
function rejectionOf(config: string, error: Error): ServerEvent['detail'] {
  const problems = 'problems' in error ? (error.problems as readonly ConfigProblem[]) : []
  const [first] = problems
  if (!first) return { file: config, message: error.message }
  const { file, line, column, message } = first
  return { file, line, column, message, problems: problems.length }
}

function logReload(logger: Logger, config: string, report: ReloadReport): void {
  const { created, removed, changed, failed, warnings, needsRestart } = report
  logger.info({ config, created, removed, changed, failed: failed.length }, 'configuration reloaded')
  for (const { proxy, error } of failed) logger.error({ config, proxy }, `proxy "${proxy}": ${error.message}`)
  for (const warning of warnings) logger.warn({ config }, warning)
  if (needsRestart.length > 0) logger.warn({ config, fields: needsRestart }, 'some changes need a restart')
}

async function keep(
  path: string | undefined,
  network: Network,
  logger: Logger,
  reloader: ConfigReloader | undefined,
): Promise<StateKeeper | undefined> {
  if (path === undefined) return undefined
  const { StateKeeper } = await import('../admin/state/state-keeper.ts')
  try {
    return await StateKeeper.start({
      path,
      network,
      config: () => reloader?.applied ?? [],
      onError: (error) => logger.error({ state: path, err: error }, 'the state could not be saved'),
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(`--state ${path}: expected a file that can be written: ${reason}`, { cause: error })
  }
}
