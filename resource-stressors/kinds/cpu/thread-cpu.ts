// How much CPU time the calling thread has had.
import { openSync, readSync } from 'node:fs'
import { systemCode } from '../../../proxy/errors.ts'

/** In milliseconds; undefined where the system doesn't tell it of a thread. */
export type ThreadCpuMeter = () => number | undefined

const NANOSECONDS_PER_MS = 1e6
const MICROSECONDS_PER_MS = 1000
/** Three decimal numbers of 64 bits. */
const MAX_LINE_BYTES = 64

interface WithThreadCpuUsage {
  threadCpuUsage?(): { readonly user: number; readonly system: number }
}

/**
 * On Linux by the first number of /proc/thread-self/schedstat, nanoseconds on a core (Documentation/scheduler/sched-stats):
 * Node has process.threadCpuUsage only from 22.19 on, and its ticks are coarser.
 */
export function threadCpuMeter(): ThreadCpuMeter {
  const file = open('/proc/thread-self/schedstat')
  if (file !== undefined) {
    const line = Buffer.alloc(MAX_LINE_BYTES)
    return () =>
      Number.parseInt(line.toString('latin1', 0, readSync(file, line, 0, line.length, 0)), 10) / NANOSECONDS_PER_MS
  }
  const newer = process as WithThreadCpuUsage
  return () => {
    const used = newer.threadCpuUsage?.()
    return used && (used.user + used.system) / MICROSECONDS_PER_MS
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
