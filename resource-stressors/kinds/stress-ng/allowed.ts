// The stressors of stress-ng that may be started: those that load a machine and leave it as it was. It has three hundred,
// of which many try what a kernel does with nonsense, switch off cores, change clocks or priorities, take all memory, leave
// objects behind, or listen on ports for everybody (sock, udp, epoll).

const MIB = 2 ** 20
/** What most of them need: measured with stress-ng 0.15, at most 16 MiB. */
const USUAL_BYTES = 32 * MIB

/** By class, stress-ng(1). */
const classes = {
  cpu: ['branch', 'cpu', 'crypt', 'fp', 'hash', 'matrix', 'matrix-3d', 'qsort', 'vecmath'],
  'cpu-cache': ['cache', 'cacheline', 'flushcache', 'icache', 'l1cache', 'llc-affinity'],
  memory: ['mcontend', 'memcpy', 'memrate', 'memthrash', 'stream', 'tlb-shootdown'],
  vm: ['fault', 'mmap', 'vm', 'vm-rw'],
  scheduler: ['context', 'eventfd', 'fork', 'futex', 'nanosleep', 'poll', 'sem', 'switch', 'vfork', 'yield'],
  interrupt: ['itimer', 'signal', 'timer', 'timerfd'],
  pipe: ['pipe', 'sockpair', 'tee'],
} as const

/** Of those that need more, each worker: measured, and rounded up, as sizes of caches are in it. */
const largeBytes: ReadonlyMap<string, number> = new Map([
  ['cache', 128 * MIB],
  ['llc-affinity', 128 * MIB],
  ['matrix-3d', 64 * MIB],
  ['memrate', 320 * MIB],
  ['memthrash', 320 * MIB],
  ['mmap', 320 * MIB],
  ['stream', 512 * MIB],
  ['tlb-shootdown', 64 * MIB],
  ['vm', 320 * MIB],
  ['vm-rw', 64 * MIB],
])

export const allowedStressors: readonly string[] = Object.values(classes).flat()

/** `cpu: branch, cpu …; cpu-cache: …` */
export const allowedInWords = Object.entries(classes)
  .map(([name, stressors]) => `${name}: ${stressors.join(', ')}`)
  .join('; ')

/** What a worker may need of memory. */
export function memoryOfWorker(stressor: string): number {
  return largeBytes.get(stressor) ?? USUAL_BYTES
}
