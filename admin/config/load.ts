// Reads a configuration file: ours in YAML or JSON, or Toxiproxy's in JSON, told apart by what is in it.
import { open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { FaultlineError, isFaultlineError, type ProxySpec } from '../../proxy/index.ts'
import { resolvePaths } from './admin-settings.ts'
import { ConfigCheck } from './check.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import type { Environment } from './interpolation.ts'
import type { AdminSettings } from './schema.ts'
import type { ConfigSource } from './source.ts'
import { readToxiproxyConfig, type ToxiproxyConfig } from './toxiproxy-config.ts'

export interface LoadOptions {
  /** What `${NAME}` stands for. Default: the environment of this process. */
  readonly environment?: Environment
  /** Directory of the files that faults may send, in place of the configuration's. */
  readonly filesDirectory?: string | undefined
}

export interface LoadedConfig {
  readonly path: string
  /** What was read. */
  readonly text: string
  readonly seed: number | undefined
  /** Paths are absolute. */
  readonly admin: AdminSettings
  /** Every fault has its name. */
  readonly proxies: readonly ProxySpec[]
  /** What was ignored. */
  readonly warnings: readonly string[]
}

/** A thousand proxies with a fault each are an eighth of it. Reading as much YAML takes a few seconds. */
const MAX_CONFIG_BYTES = 1024 * 1024

/**
 * Reads and checks a configuration file: all of it, but whether ports are free.
 *
 * @example
 * const { proxies } = await loadConfig('faultline.yaml')
 * @throws ConfigError with every mistake and its line and column; FaultlineError if the file can't be read
 */
export async function loadConfig(path: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  return parseConfig(path, await readText(path), options)
}

/** @throws FaultlineError `invalid_value` with field `config` */
export async function readText(path: string): Promise<string> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    if (size > MAX_CONFIG_BYTES) throw unreadable(`a file of at most ${MAX_CONFIG_BYTES} bytes, got ${size}`)
    return await file.readFile('utf8')
  } catch (error) {
    if (isFaultlineError(error)) throw error
    throw unreadable(`a readable file, ${error instanceof Error ? error.message : String(error)}`, error)
  }
}

/** Checks what was read. @throws ConfigError */
export async function parseConfig(path: string, text: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  const { environment = process.env } = options
  const read = async (): Promise<ConfigSource> => {
    const source = await import('./source.ts') // with a YAML parser, which servers without a configuration do without
    return new source.ConfigSource(path, text, environment)
  }
  // JSON.parse takes a hundredth of the time, and Toxiproxy's files may be large.
  const json = tryJson(text)
  if (Array.isArray(json)) return { ...nothingElse, path, text, ...(await readToxics(json, read)) }
  const source = await read()
  const { value } = source
  if (Array.isArray(value)) return { ...nothingElse, path, text, ...(await readToxics(value, async () => source)) }
  const filesDirectory = options.filesDirectory ?? filesDirectoryOf(value, path)
  const check = new ConfigCheck()
  const { seed, admin, proxies } = await check.run(value, filesDirectory)
  const problems = [...source.problems, ...source.locate(check.errors)]
  if (problems.length > 0) throw new ConfigError(problems)
  return { ...nothingElse, path, text, seed, admin: resolvePaths(admin, dirname(path)), proxies }
}

/** What Toxiproxy's form says nothing of. */
const nothingElse = { seed: undefined, admin: {}, warnings: [] } as const

async function readToxics(value: readonly unknown[], read: () => Promise<ConfigSource>): Promise<ToxiproxyConfig> {
  try {
    return readToxiproxyConfig(value)
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    throw new ConfigError(locateToxic(await read(), error), error)
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // YAML, or it will say what is wrong
  }
}

/** Relative ones are seen from the file that names them. */
function filesDirectoryOf(value: unknown, path: string): string | undefined {
  const directory = (value as { admin?: { filesDirectory?: unknown } | null } | null)?.admin?.filesDirectory
  return typeof directory === 'string' && directory !== '' ? resolve(dirname(path), directory) : undefined
}

/** Toxiproxy's form has always had its indices in brackets. */
function locateToxic(source: ConfigSource, error: FaultlineError): ConfigProblem[] {
  const { code, message, field = '', expected } = error
  const dotted = field.replace(/\[(\d+)\]/g, '.$1').replace(/^\./, '')
  const details = { field: dotted, ...(expected !== undefined && { expected }) }
  return source.locate([new FaultlineError(code, message, details)]).map((problem) => ({ ...problem, field }))
}

function unreadable(expected: string, cause?: unknown): FaultlineError {
  return new FaultlineError('invalid_value', `config: expected ${expected}`, { field: 'config', expected, cause })
}
