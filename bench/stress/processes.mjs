// Processes from outside, by the kernel's own counts (Linux, /proc).
import { readdirSync, readFileSync } from 'node:fs'

const TICKS_PER_SECOND = 100

function readOrNothing(path) {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // it has ended meanwhile
  }
}

/** A process and all that it has started. */
export function familyOf(pid) {
  const children = readOrNothing(`/proc/${pid}/task/${pid}/children`).trim()
  return [pid, ...(children === '' ? [] : children.split(' ').flatMap((child) => familyOf(Number(child))))]
}

export function isThere(pid) {
  const stat = readOrNothing(`/proc/${pid}/stat`)
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
}

/** CPU time in milliseconds that the threads of these processes have had. */
export function cpuMsOf(pids) {
  let nanoseconds = 0
  for (const pid of pids) {
    let tasks = []
    try {
      tasks = readdirSync(`/proc/${pid}/task`)
    } catch {
      continue
    }
    for (const task of tasks) nanoseconds += Number(readOrNothing(`/proc/${pid}/task/${task}/schedstat`).split(' ')[0])
  }
  return nanoseconds / 1e6
}

export function residentBytesOf(pids) {
  const kilobytes = pids.map((pid) => Number(readOrNothing(`/proc/${pid}/status`).match(/^VmRSS:\s*(\d+)/m)?.[1] ?? 0))
  return kilobytes.reduce((sum, size) => sum + size, 0) * 1024
}

/** CPU time in milliseconds that the whole machine has spent, also what a hypervisor took away: proc_stat(5). */
export function machineCpuMs() {
  const [user, nice, system, , , interrupts, softInterrupts, steal] = readFileSync('/proc/stat', 'latin1')
    .split('\n', 1)[0]
    .split(/\s+/)
    .slice(1)
    .map(Number)
  return ((user + nice + system + interrupts + softInterrupts + steal) * 1000) / TICKS_PER_SECOND
}
