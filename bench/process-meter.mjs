// CPU time and memory of another process, read from Linux' /proc. Elsewhere both are null.

import { readdirSync, readFileSync } from 'node:fs'

/**
 * CPU time a process has used so far, all its threads together. The first field of schedstat is the time on the CPU in
 * nanoseconds, where /proc/PID/stat counts in ticks of 10 ms.
 *
 * @param {number | null} pid
 * @returns {number | null} nanoseconds
 */
export function cpuNanos(pid) {
  if (pid === null || process.platform !== 'linux') return null
  try {
    const threads = readdirSync(`/proc/${pid}/task`)
    return threads.reduce((total, thread) => {
      return total + Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
    }, 0)
  } catch (error) {
    // The process or one of its threads has ended, or the kernel keeps no schedstat: unknown, and shown as such.
    if (error.code === 'ENOENT' || error.code === 'ESRCH') return null
    throw error
  }
}

/**
 * Runs some work and tells the CPU time a process used for it.
 *
 * @template T
 * @param {number | null} pid
 * @param {() => Promise<T>} work
 * @returns {Promise<{ result: T, usedNanos: number | null }>}
 */
export async function withCpuMeter(pid, work) {
  const before = cpuNanos(pid)
  const result = await work()
  const after = cpuNanos(pid)
  return { result, usedNanos: before === null || after === null ? null : after - before }
}

/** Resident memory of a process. @param {number} pid @returns {number | null} KB of 1024 bytes */
export function residentKilobytes(pid) {
  if (process.platform !== 'linux') return null
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return line === null ? null : Number(line[1])
}
