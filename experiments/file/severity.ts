// How hard a step is, from 1 (hardly felt) to 5 (hardly survived): what `safety.severity` caps. Judged by the full
// intensity, also where it is ramped up to, and by where a ramp begins if that is harder.
import type { FaultAction, PlainFaultSpec, StepAction } from './experiment.ts'

export const HARDEST = 5

type Numbers = Readonly<Record<string, unknown>>
type Judge = (attributes: Numbers, probability: number) => number

/** The highest values of severity 1, 2, 3 and 4. */
type Scale = readonly [number, number, number, number]

const DELAY_MS: Scale = [100, 300, 1000, 5000]
/** Of requests, connections or packets that are disturbed. */
const SHARE: Scale = [0.05, 0.15, 0.5, 1]
const LOSS: Scale = [0.05, 0.15, 0.3, 0.6]
const PERCENT: Scale = [25, 50, 75, 90]
const MIB = 2 ** 20
const MEMORY_BYTES: Scale = [256 * MIB, 512 * MIB, 1024 * MIB, 4096 * MIB]
const DISK_BYTES: Scale = [1024 * MIB, 10_240 * MIB, 102_400 * MIB, 1_024_000 * MIB]
/** Cores that are kept busy. */
const CORES: Scale = [2, 4, 8, 16]
const DISK_WORKERS: Scale = [1, 2, 4, 8]
const THINGS: Scale = [100, 1000, 10_000, 100_000]
const RATE: Scale = [100, 500, 2000, 5000]

/** Where it is rare, it is as mild as that, however long it takes. */
const bySize =
  (scale: Scale, ...names: readonly string[]): Judge =>
  (attributes, probability) => {
    const size = grade(sumOf(attributes, names), scale)
    return probability < 1 ? Math.min(size, grade(probability, SHARE)) : size
  }

const byShare: Judge = (_attributes, probability) => grade(probability, SHARE)

const faults: Readonly<Record<string, Judge>> = {
  noop: () => 1,
  latency: bySize(DELAY_MS, 'latency', 'jitter'),
  connect_delay: bySize(DELAY_MS, 'delayMs'),
  slow_close: bySize(DELAY_MS, 'delay'),
  http_delay: bySize(DELAY_MS, 'delayMs', 'jitterMs'),
  pg_delay: bySize(DELAY_MS, 'delayMs', 'jitterMs'),
  packet_loss: ({ loss = 0.05 }) => grade(Number(loss), LOSS),
  drop: ({ rate = 1 }) => grade(Number(rate), LOSS),
  bandwidth: ({ rate = 0 }) => 5 - (Number(rate) >= 1000 ? 4 : Number(rate) >= 100 ? 3 : Number(rate) >= 10 ? 2 : 1),
}

const stressors: Readonly<Record<string, Judge>> = {
  cpu: ({ workers = 'all', load = 100 }) =>
    workers === 'all'
      ? Math.min(grade(Number(load), PERCENT), 4)
      : grade((Number(workers) * Number(load)) / 100, CORES),
  memory: ({ bytes, percent, leakBytesPerSecond }) =>
    bytes !== undefined || percent !== undefined
      ? ofAmount(MEMORY_BYTES, bytes, percent)
      : leakBytesPerSecond === undefined
        ? 4
        : 3,
  'disk-io': ({ workers = 1 }) => grade(Number(workers), DISK_WORKERS),
  'disk-fill': ({ bytes, percent }) => ofAmount(DISK_BYTES, bytes, percent),
  'page-cache': () => 2,
  'stress-ng': ({ workers = 1 }) => (workers === 'all' ? 4 : grade(Number(workers), CORES)),
  process: ({ action }) => ({ slow: 2, hang: 3, terminate: 3, kill: 4 })[String(action)] ?? 4,
  container: ({ action }) => ({ pause: 3, restart: 3, stop: 4, kill: 4 })[String(action)] ?? 4,
}

/** What is taken in numbers: files, processes, connections, inodes. */
const byCount: Judge = ({ count }) => (count === undefined ? 4 : grade(Number(count), THINGS))

/** 1 to 5. */
export function severityOf(action: StepAction): number {
  switch (action.kind) {
    case 'fault':
      return Math.max(severityOfFault(action.spec), severityOfFault(beginOf(action)))
    case 'partition':
      return 4
    case 'stress':
      return atLeastOne((stressors[action.type] ?? byCount)(action.attributes, 1))
    case 'load':
      return grade(Math.max(action.perSecond, action.ramp?.fromPerSecond ?? 0), RATE)
    default:
      return HARDEST
  }
}

function severityOfFault({ type, attributes = {}, probability = 1 }: PlainFaultSpec): number {
  return atLeastOne((faults[type] ?? byShare)(attributes, probability))
}

/** As it is when it begins to act. */
function beginOf({ spec, rampFrom }: FaultAction): PlainFaultSpec {
  return { ...spec, ...rampFrom, attributes: { ...spec.attributes, ...rampFrom?.attributes } }
}

function ofAmount(scale: Scale, bytes: unknown, percent: unknown): number {
  if (bytes !== undefined) return grade(Number(bytes), scale)
  return percent === undefined ? 4 : grade(Number(percent), PERCENT)
}

function sumOf(attributes: Numbers, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + Number(attributes[name] ?? 0), 0)
}

function grade(value: number, scale: Scale): number {
  const index = scale.findIndex((highest) => value <= highest)
  return index < 0 ? HARDEST : index + 1
}

function atLeastOne(severity: number): number {
  return Math.max(1, Math.min(HARDEST, severity))
}
