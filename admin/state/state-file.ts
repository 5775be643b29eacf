// The state file: what it looks like, how it is read, and how it is written so that it can always be read.
import { open, readFile, realpath, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { FaultlineError, protocolNames, type FaultSpec, type PartitionSpec, type ProxySpec } from '../../proxy/index.ts'
import { systemCode } from '../../proxy/errors.ts'
import { describeValue, validate } from '../../proxy/validate.ts'

/** By the wall clock: the server's own one does not go on while it is down. */
export interface Expiring {
  /** Milliseconds since the Unix epoch; absent if it does not end by itself. */
  readonly expiresAtMs?: number
}

export type SavedProxy = Omit<ProxySpec, 'faults'> & { readonly faults: readonly (FaultSpec & Expiring)[] }

export interface State {
  /** Raised when what older versions would make of the file is wrong. */
  readonly version: 1
  /** True under an emergency stop. */
  readonly stopped: boolean
  /** What the configuration file said when it last took hold. */
  readonly config: readonly ProxySpec[]
  readonly proxies: readonly SavedProxy[]
  readonly partitions: readonly (PartitionSpec & Expiring)[]
}

const VERSION = 1

// Only as much as is needed to begin with it: the rest is checked as all that comes from outside, when it is made again.
const faults = Type.Array(Type.Object({ name: Type.String() }))
const name = Type.String()
const protocol = Type.Optional(Type.Union(protocolNames.map((known) => Type.Literal(known))))
const stateSchema = Type.Object({
  version: Type.Literal(VERSION),
  stopped: Type.Boolean(),
  config: Type.Array(Type.Object({ name, protocol, faults: Type.Optional(faults) })),
  proxies: Type.Array(Type.Object({ name, protocol, faults })),
  partitions: Type.Array(Type.Object({ name })),
})

/**
 * @returns undefined if there is no such file
 * @throws FaultlineError if there is one that can't be read
 */
export async function readState(path: string): Promise<State | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw unusable(path, 'a readable file', error instanceof Error ? error.message : String(error), error)
  }
  try {
    return validate(stateSchema, JSON.parse(text)) as unknown as State
  } catch (error) {
    throw unusable(
      path,
      'what --state has written',
      error instanceof Error ? error.message : describeValue(error),
      error,
    )
  }
}

function unusable(path: string, expected: string, reason: string, cause: unknown): FaultlineError {
  const message = `state: ${path}: expected ${expected}: ${reason}; to start without it, move it away`
  return new FaultlineError('invalid_value', message, { field: 'state', expected, cause })
}

/**
 * Puts a file in the place of another: at any moment, whenever the process is killed or the power fails, there is one or
 * the other, complete.
 *
 * Not by a library: those choose a new name for the temporary file each time, so that every kill leaves one behind.
 *
 * @param mode who may read it. Default: only its owner, as a state has keys of proxies in it
 */
export async function replaceFile(path: string, text: string, mode = 0o600): Promise<void> {
  // A link stays one.
  const target = await realpath(path).catch(() => path)
  const folder = dirname(target)
  const temporary = join(folder, `.${basename(target)}.tmp`)
  // What a killed process has left, or what somebody has put there to be written through.
  await rm(temporary, { force: true })
  {
    await using file = await open(temporary, 'wx', mode)
    await file.writeFile(text)
    // Without it the new name may reach the disk before the content.
    await file.sync()
  }
  await rename(temporary, target)
  await syncFolder(folder)
}

/** The name is on the disk then. Not all systems can do that (Windows). */
async function syncFolder(folder: string): Promise<void> {
  try {
    await using handle = await open(folder, 'r')
    await handle.sync()
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL'].includes(systemCode(error) ?? '')) throw error
  }
}
