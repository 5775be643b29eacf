// How much space of a disk has to stay free, and how much may be taken at the moment.
import type { PlanContext } from '../definition.ts'
import { floorLimits, type FloorLimits } from '../kinds/memory/floor.ts'
import { Machine } from '../machine/machine.ts'
import { fileSystemAt, type FileSystem } from './file-system.ts'

/** Survives JSON. */
export interface DiskLimits {
  /** On the disk that is meant. */
  readonly folder: string
  readonly space: FloorLimits
  /** For a file system in memory, whose files take that; null for others. */
  readonly memory: FloorLimits | null
  /** Of {@link Machine}. */
  readonly machineRoot: string
}

const MIB = 2 ** 20
const FLOOR_SHARE = 0.05
const MIN_FLOOR_BYTES = 1024 * MIB
/** What stays free above the floor: others may write a little without an end to the test. */
const MARGIN_SHARE = 0.01
const MIN_MARGIN_BYTES = 64 * MIB
/** As many stressors may be looking at the same disk, before any of them takes what it sees. */
const MAX_COMPETITORS = 32
/** If all of them take so much more than there is room for, that is the margin. */
const LEAST_STEP_BYTES = MIN_MARGIN_BYTES / MAX_COMPETITORS

/** This much space always stays free: 1 GiB, or 5 % of all if that is more. */
export function diskFloorBytes(totalBytes: number): number {
  return Math.max(MIN_FLOOR_BYTES, Math.ceil(totalBytes * FLOOR_SHARE))
}

export function diskLimits(folder: string, disk: FileSystem, context: PlanContext): DiskLimits {
  const { totalBytes, inMemory } = disk
  const { machine, memoryFloorBytes } = context
  const floorBytes = Math.max(diskFloorBytes(totalBytes), context.diskFloorBytes)
  const keepFreeBytes = floorBytes + Math.max(MIN_MARGIN_BYTES, Math.ceil(totalBytes * MARGIN_SHARE))
  const memory = inMemory ? floorLimits(machine, memoryFloorBytes) : null
  return { folder, space: { floorBytes, keepFreeBytes }, memory, machineRoot: machine.root }
}

/** How much there is of what has a floor. */
interface Level extends FloorLimits {
  readonly where: string
  readonly freeBytes: number
  readonly totalBytes: number
}

function roomOf({ freeBytes, keepFreeBytes }: Level): number {
  return freeBytes - keepFreeBytes
}

/** Looks at a disk, each time anew. */
export class DiskGauge {
  readonly #limits: DiskLimits
  readonly #machine: Machine

  constructor(limits: DiskLimits) {
    this.#limits = limits
    this.#machine = new Machine(limits.machineRoot)
  }

  get freeBytes(): number {
    return fileSystemAt(this.#limits.folder).freeBytes
  }

  /** How much may be taken; below 0: how much has to be given back. */
  roomBytes(): number {
    return Math.min(...this.#levels().map(roomOf))
  }

  /**
   * How much may be taken before the next look; below 0: how much has to be given back.
   *
   * @param parts whoever asks is one of so many who will take as much at the same time
   */
  stepBytes(parts = 1): number {
    const roomBytes = this.roomBytes()
    return Math.min(roomBytes, Math.floor(Math.max(LEAST_STEP_BYTES, roomBytes / MAX_COMPETITORS) / parts))
  }

  /** What has to stay free that leaves room for so little, in words. */
  keptInWords(): string {
    const levels = this.#levels()
    const roomBytes = Math.min(...levels.map(roomOf))
    const kept = levels.filter((level) => roomOf(level) === roomBytes)
    return kept.map(({ keepFreeBytes, where }) => `${inMib(keepFreeBytes)} ${where}`).join(' and ')
  }

  /** Why nothing may be taken, in words; undefined = something may. */
  refusal(): string | undefined {
    const full = this.#levels().find((level) => roomOf(level) <= 0)
    if (full === undefined) return undefined
    const { where, freeBytes, totalBytes, keepFreeBytes } = full
    const free = `${inMib(freeBytes)} of ${inMib(totalBytes)} ${where} are free`
    return `there is none to take: ${free} and ${inMib(keepFreeBytes)} have to be`
  }

  /** Why everything has to be given back, in words; undefined = it has not. */
  breach(): string | undefined {
    const broken = this.#levels().find(({ freeBytes, floorBytes }) => freeBytes < floorBytes)
    if (broken === undefined) return undefined
    const { where, freeBytes, floorBytes } = broken
    return `only ${freeBytes} bytes ${where} were free, less than the floor of ${floorBytes}`
  }

  #levels(): Level[] {
    const { folder, space, memory } = this.#limits
    const { freeBytes, totalBytes } = fileSystemAt(folder)
    const levels: Level[] = [{ where: `on the disk of ${folder}`, freeBytes, totalBytes, ...space }]
    if (memory === null) return levels
    const { availableBytes, ...machine } = this.#machine.memory()
    const where = `of the memory that ${folder} is in`
    return [...levels, { where, freeBytes: availableBytes, totalBytes: machine.totalBytes, ...memory }]
  }
}

export function inMib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}
