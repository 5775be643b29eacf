// What a server begins with: its state file, its configuration file, or both.
import {
  InstalledFault,
  isFaultlineError,
  type FaultSpec,
  type Network,
  type PartitionSpec,
  type ProxySpec,
} from '../../proxy/index.ts'
import { transportOf } from '../../proxy/protocols/registry.ts'
import { fileReader } from '../../proxy/files.ts'
import { MAX_TTL_MS } from '../../proxy/safety.ts'
import { mergeConfig } from '../config/merge.ts'
import type { Expiring, SavedProxy, State } from './state-file.ts'

export interface Beginning {
  readonly proxies: readonly ProxySpec[]
  readonly partitions: readonly PartitionSpec[]
  readonly stopped: boolean
  /** What of the state can't be had again, and why. */
  readonly warnings: readonly string[]
}

export interface RestoreOptions {
  /** What the configuration file says; undefined = there is none. */
  readonly config: readonly ProxySpec[] | undefined
  /** The longest time to live, as the network has it. */
  readonly maxTtlMs?: number | undefined
  /** Directory of the files that faults may send. */
  readonly filesDirectory?: string | undefined
  /** Milliseconds since the Unix epoch. */
  readonly nowMs?: number
}

/**
 * A start is as if the server had never been away: what the state says, and on top of it whatever the configuration
 * says differently from the last time. So neither is a change by the API lost nor a change of the file ignored. Times
 * to live have gone on by the wall clock; what has ended meanwhile is left out.
 */
export function beginWith(state: State | undefined, options: RestoreOptions): Beginning {
  const { config, filesDirectory, nowMs = Date.now(), maxTtlMs = MAX_TTL_MS } = options
  if (!state) return { proxies: config ?? [], partitions: [], stopped: false, warnings: [] }
  const warnings: string[] = []
  const readFile = fileReader(filesDirectory)
  const isUsable = (proxy: SavedProxy, fault: FaultSpec): boolean => {
    try {
      InstalledFault.fromSpec(fault, '', readFile, transportOf(proxy.protocol ?? 'tcp'))
      return true
    } catch (error) {
      if (!isFaultlineError(error)) throw error
      warnings.push(`fault "${fault.name}" of proxy "${proxy.name}" is not restored: ${error.message}`)
      return false
    }
  }
  const time = { nowMs, maxTtlMs }
  const proxies = state.proxies.map((proxy) => ({
    ...proxy,
    faults: proxy.faults
      .flatMap((fault) => withTimeLeft<FaultSpec>(fault, time) ?? [])
      .filter((fault) => isUsable(proxy, fault)),
  }))
  const merged = config ? mergeConfig(state.config, config, proxies) : proxies
  return {
    // Under an emergency stop nothing acts, not even until it is declared again.
    proxies: state.stopped ? merged.map((spec) => ({ ...spec, faults: [] })) : merged,
    partitions: state.partitions.flatMap((partition) => withTimeLeft<PartitionSpec>(partition, time) ?? []),
    stopped: state.stopped,
    warnings,
  }
}

/** Cuts partitions again, and stops again. Returns what could not be done, in words. */
export function finishBeginning(network: Network, { partitions, stopped }: Beginning): string[] {
  const warnings = partitions.flatMap((spec) => {
    try {
      network.partition(spec)
      return []
    } catch (error) {
      if (!isFaultlineError(error)) throw error
      return [`partition "${spec.name}" is not restored: ${error.message}`]
    }
  })
  if (stopped) network.stop()
  return warnings
}

/** Undefined if its time is up. The wall clock may have been set back, so that too much would be left. */
function withTimeLeft<Spec extends object>(
  { expiresAtMs, ...spec }: Spec & Expiring,
  { nowMs, maxTtlMs }: { readonly nowMs: number; readonly maxTtlMs: number },
): Spec | undefined {
  if (expiresAtMs === undefined) return spec as Spec
  const ttlMs = Math.min(expiresAtMs - nowMs, maxTtlMs)
  return ttlMs >= 1 ? ({ ...spec, ttlMs } as Spec) : undefined
}
