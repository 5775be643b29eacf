// What the kernel allows a process of ours to have: getrlimit(2), by /proc/self/limits.
import { join } from 'node:path'
import { readText } from './files.ts'

const LINES = { openFiles: 'Max open files', processes: 'Max processes' }

export interface ResourceLimit {
  /** Counts, unless the process raises it. */
  readonly soft: number
  /** The soft one can be raised to this. */
  readonly hard: number
}

/**
 * Our limits are those of the children that we start. Infinity: none. Undefined: the system doesn't tell.
 *
 * @param root where `proc` is looked for, `/`
 */
export function resourceLimit(root: string, resource: keyof typeof LINES): ResourceLimit | undefined {
  const text = readText(join(root, 'proc/self/limits'))
  const [soft, hard] = text?.match(new RegExp(`^${LINES[resource]}\\s+(\\w+)\\s+(\\w+)`, 'm'))?.slice(1) ?? []
  return soft === undefined || hard === undefined ? undefined : { soft: toLimit(soft), hard: toLimit(hard) }
}

function toLimit(text: string): number {
  return text === 'unlimited' ? Infinity : Number(text)
}
