// Looks at this machine once a second: how busy its CPU, memory, disk and network are, and how late timers come.
import { statfsSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks'
import { readText } from '../../resource-stressors/machine/files.ts'
import { Machine } from '../../resource-stressors/machine/machine.ts'

/** Shares of all, from 0 to 1, and times in milliseconds. A figure that the platform does not tell is left out. */
export interface MachineSample {
  /** Since the run's begin. */
  readonly atMs: number
  readonly cpu: number
  readonly memory: number
  /** Of the disk with temporary files, as df counts. */
  readonly disk?: number
  readonly eventLoopLagMs: number
  /** Received and sent, by all interfaces but the loopback. */
  readonly networkBytesPerSecond?: number
}

export interface MachineMonitorOptions {
  /** Milliseconds since the run's begin. */
  readonly now: () => number
  readonly onSample: (sample: MachineSample) => void
}

const INTERVAL_MS = 1000
/** What {@link monitorEventLoopDelay} waits for each time, which is no lag. */
const LAG_RESOLUTION_MS = 10
const NS_PER_MS = 1e6

export class MachineMonitor {
  readonly #options: MachineMonitorOptions
  readonly #machine = new Machine()
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  readonly #timer: NodeJS.Timeout
  #cpu = cpuTimes()
  #network = networkBytes()
  #atMs: number

  /** Begins at once. */
  constructor(options: MachineMonitorOptions) {
    this.#options = options
    this.#atMs = options.now()
    this.#lag.enable()
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#lag.disable()
  }

  #look(): void {
    const atMs = this.#options.now()
    const seconds = (atMs - this.#atMs) / 1000
    const [cpu, network] = [cpuTimes(), networkBytes()]
    const { totalBytes, availableBytes } = this.#machine.memory()
    const totalMs = cpu.totalMs - this.#cpu.totalMs
    const disk = diskShare()
    this.#options.onSample({
      atMs,
      cpu: totalMs > 0 ? 1 - (cpu.idleMs - this.#cpu.idleMs) / totalMs : 0,
      memory: 1 - availableBytes / totalBytes,
      ...(disk !== undefined && { disk }),
      eventLoopLagMs: this.#lag.count > 0 ? Math.max(0, this.#lag.mean / NS_PER_MS - LAG_RESOLUTION_MS) : 0,
      ...(network !== undefined &&
        this.#network !== undefined &&
        seconds > 0 && { networkBytesPerSecond: (network - this.#network) / seconds }),
    })
    this.#lag.reset()
    this.#cpu = cpu
    this.#network = network
    this.#atMs = atMs
  }
}

interface CpuTimes {
  readonly idleMs: number
  readonly totalMs: number
}

function cpuTimes(): CpuTimes {
  let [idleMs, totalMs] = [0, 0]
  for (const { times } of cpus()) {
    idleMs += times.idle
    totalMs += times.idle + times.user + times.nice + times.sys + times.irq
  }
  return { idleMs, totalMs }
}

function diskShare(): number | undefined {
  try {
    const { blocks, bfree, bavail } = statfsSync(tmpdir())
    const used = blocks - bfree
    return used + bavail > 0 ? used / (used + bavail) : undefined
  } catch {
    return undefined // the platform does not tell
  }
}

/** proc_net(5): received bytes are the first column, sent ones the ninth. */
function networkBytes(): number | undefined {
  const lines = readText('/proc/net/dev')?.split('\n').slice(2)
  return lines?.reduce((sum, line) => {
    const [name = '', numbers = ''] = line.split(':')
    if (name.trim() === 'lo') return sum
    const columns = numbers.trim().split(/\s+/).map(Number)
    return sum + (columns[0] ?? 0) + (columns[8] ?? 0)
  }, 0)
}
