// Keeps a network as its configuration file says, while both change. What does not concern files is in merge.ts and
// apply.ts.
import { watch, type FSWatcher } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { FaultlineError, type Network, type ProxySpec } from '../../proxy/index.ts'
import { Turns } from '../../proxy/turns.ts'
import { Present, type Applied } from './apply.ts'
import { parseConfig, readText, type LoadedConfig, type LoadOptions } from './load.ts'
import { mergeConfig } from './merge.ts'

export interface ReloadReport extends Applied {
  /** What was ignored in the file. */
  readonly warnings: readonly string[]
  /** Fields that have changed and take hold when the server is started again, e.g. `admin.listen`. */
  readonly needsRestart: readonly string[]
}

export interface ConfigReloaderOptions extends LoadOptions {
  readonly network: Network
  /** What the network has been made from. */
  readonly loaded: LoadedConfig
  /** A new configuration has taken hold, perhaps but for some proxies. */
  onReloaded(report: ReloadReport): void
  /** The file can't be used: nothing has been changed. */
  onRejected(error: Error): void
  /** The file can't be watched; {@link ConfigReloader.reload} still works. */
  onUnwatched(error: Error): void
}

/**
 * How long the file must have been as it is: editors and copying take several steps. Also how long a change may take
 * to be noticed, twice.
 */
const SETTLE_MS = 100

export class ConfigReloader {
  readonly #options: ConfigReloaderOptions
  readonly #path: string
  readonly #turns = new Turns()
  readonly #watchers: FSWatcher[] = []
  /** What the file said when it was last used, without the proxies that could not be made so. */
  #applied: readonly ProxySpec[]
  /** Whether proxies that could not be made so were to be enabled. They are not, and not because anybody wanted that. */
  #failed: ReadonlyMap<string, boolean> = new Map()
  #text: string
  /** Size and time of the file as it was looked at last, and as it was when it had not changed for a while. */
  #seen = ''
  #settled = ''
  /** The emergency stop has kept a change from taking hold. */
  #held = false
  #look: NodeJS.Timeout | undefined
  #closed = false
  readonly #unsubscribe: () => void

  private constructor(options: ConfigReloaderOptions) {
    this.#options = options
    this.#path = options.loaded.path
    this.#applied = options.loaded.proxies
    this.#text = options.loaded.text
    this.#unsubscribe = options.network.changes.subscribe(({ type }) => {
      if (type === 'resumed' && this.#held) void this.reload()
    })
  }

  /** Begins to watch the file. */
  static async start(options: ConfigReloaderOptions): Promise<ConfigReloader> {
    const reloader = new ConfigReloader(options)
    await reloader.#watch()
    return reloader
  }

  /** What of the configuration holds. */
  get applied(): readonly ProxySpec[] {
    return this.#applied
  }

  /** Reads the file and makes the network so, also if the file has not changed: what has failed is tried again. */
  reload(): Promise<void> {
    return this.#turns.run(async () => {
      if (this.#closed) return
      try {
        this.#text = await readText(this.#path)
        this.#options.onReloaded(await this.#apply(await this.#parse()))
      } catch (error) {
        this.#options.onRejected(error instanceof Error ? error : new Error(String(error)))
      }
    })
  }

  /** Watches no longer. A reload that is under way is waited for. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#look)
    this.#unsubscribe()
    for (const watcher of this.#watchers) watcher.close()
    await this.#turns.run(async () => {})
  }

  #parse(): Promise<LoadedConfig> {
    const { loaded, environment, filesDirectory = loaded.admin.filesDirectory } = this.#options
    // The network reads files from where it was told to when it was made.
    return parseConfig(this.#path, this.#text, { ...(environment && { environment }), filesDirectory })
  }

  async #apply(config: LoadedConfig): Promise<ReloadReport> {
    const { network, loaded } = this.#options
    this.#held = network.stopped
    if (this.#held) {
      const message = 'the emergency stop is on: the configuration takes hold when it is taken back (resume)'
      throw new FaultlineError('stopped', message)
    }
    const present = new Present(network)
    const now = present.specs.map((spec) => {
      const enabled = this.#failed.get(spec.name)
      return enabled === undefined ? spec : { ...spec, enabled }
    })
    const target = mergeConfig(this.#applied, config.proxies, now)
    const applied = await present.change(target)
    this.#held = network.stopped // meanwhile
    const failed = new Set(applied.failed.map(({ proxy }) => proxy))
    this.#failed = new Map(
      target.filter(({ name }) => failed.has(name)).map(({ name, enabled = true }) => [name, enabled]),
    )
    this.#applied = config.proxies.flatMap((spec) => (failed.has(spec.name) ? this.#retryable(spec) : spec))
    return { ...applied, warnings: config.warnings, needsRestart: needsRestart(loaded, config) }
  }

  /** What is to count as applied of a proxy that could not be made so, in order that the next reload tries it again. */
  #retryable(spec: ProxySpec): ProxySpec[] {
    // One that is not there is new to the next reload.
    if (!this.#options.network.proxy(spec.name)) return []
    // Its addresses are the old ones, and nobody listens there. Which of its faults have been changed is unknown.
    const before = this.#applied.find(({ name }) => name === spec.name)
    if (!before) return [spec]
    const { listen: _listen, faults: _faults, ...others } = spec
    const { listen, upstream, faults } = before
    return [{ ...others, upstream, ...(listen !== undefined && { listen }), ...(faults && { faults }) }]
  }

  // ---- watching --------------------------------------------------------------------------------------------------

  async #watch(): Promise<void> {
    try {
      // Its folder: editors put another file in its place, and a watch would stay with the old one. A ConfigMap of
      // Kubernetes is a link in a folder whose link is replaced.
      const folders = new Set([dirname(this.#path), dirname(await realpath(this.#path))])
      for (const folder of folders) {
        const watcher = watch(folder, { persistent: false }, () => this.#lookSoon())
        watcher.on('error', (error) => this.#options.onUnwatched(error))
        this.#watchers.push(watcher)
      }
    } catch (error) {
      this.#options.onUnwatched(error instanceof Error ? error : new Error(String(error)))
    }
    this.#lookSoon() // it may have changed since it was read
  }

  #lookSoon(): void {
    if (this.#closed) return
    this.#look ??= setTimeout(() => {
      this.#look = undefined
      void this.#lookNow()
    }, SETTLE_MS).unref()
  }

  async #lookNow(): Promise<void> {
    const signature = await signatureOf(this.#path)
    if (signature === this.#settled) return
    if (signature !== this.#seen) {
      this.#seen = signature
      this.#lookSoon()
      return
    }
    this.#settled = signature
    const text = await readText(this.#path).catch(() => undefined)
    if (text !== this.#text) await this.reload()
  }
}

/** Tells apart what a file was and is, without reading it. */
async function signatureOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch {
    return 'none'
  }
}

function needsRestart(loaded: LoadedConfig, config: LoadedConfig): string[] {
  const fields = new Set([...Object.keys(loaded.admin), ...Object.keys(config.admin)])
  const before: Readonly<Record<string, unknown>> = loaded.admin
  const after: Readonly<Record<string, unknown>> = config.admin
  const changed = [...fields].filter((name) => !isDeepStrictEqual(before[name], after[name]))
  return [...(loaded.seed === config.seed ? [] : ['seed']), ...changed.map((name) => `admin.${name}`)]
}
