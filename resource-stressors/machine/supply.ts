// Things that a machine has a limited number of: how many are left, and how many have to be.
import { memoryFloorBytes, type Machine } from './machine.ts'

export interface Supply {
  /** What there are so many of, in the plural and with the name of the limit. */
  readonly name: string
  /** As many as there can be. */
  readonly limit: number
  /** As many as are taken, by whomever. */
  readonly used: number
  /** So many have to stay free: below that a stressor gives everything back and ends. */
  readonly floor: number
  /** It only guards: what a user says is to be left free is not about this one. */
  readonly guards?: boolean
}

const FLOOR_SHARE = 0.05
/** Kept above the floor, so that others may take a little without an end to the test. */
const MARGIN_SHARE = 0.01
const MIN_MARGIN = 16

/** 5 % of a limit, or this many if that is more. */
export function floorOf(limit: number, atLeast = 0): number {
  return Math.max(atLeast, Math.ceil(limit * FLOOR_SHARE))
}

/** What a stressor leaves free when it takes all it can. */
export function keptFree({ limit, floor }: Supply): number {
  return floor + Math.max(MIN_MARGIN, Math.ceil(limit * MARGIN_SHARE))
}

/** How many more may be taken; below 0: how many have to be given back. */
export function spareOf(supplies: readonly Supply[], leaveFree = 0): number {
  return Math.min(...supplies.map((supply) => spareOfOne(supply, leaveFree)))
}

/** The supply that is used up first. */
export function tightestOf(supplies: readonly Supply[], leaveFree = 0): Supply | undefined {
  const spare = spareOf(supplies, leaveFree)
  return supplies.find((supply) => spareOfOne(supply, leaveFree) === spare)
}

function spareOfOne(supply: Supply, leaveFree: number): number {
  const wanted = supply.guards === true ? 0 : leaveFree
  return supply.limit - supply.used - Math.max(wanted, keptFree(supply))
}

/** How many are left of what is used up first, of what users are after. */
export function freeOf(supplies: readonly Supply[]): number {
  const counted = supplies.filter(({ guards }) => guards !== true)
  return Math.max(0, Math.min(...counted.map(({ limit, used }) => limit - used)))
}

/** Why a stressor has to end at once; undefined: enough is left of everything. */
export function shortageOf(supplies: readonly Supply[]): string | undefined {
  const short = supplies.find(({ limit, used, floor }) => limit - used < floor)
  if (!short) return undefined
  const { name, limit, used, floor } = short
  return `only ${Math.max(0, limit - used)} of ${limit} ${name} were free, less than the floor of ${floor}`
}

/**
 * Memory, in units of what one of the things needs that are taken.
 *
 * @param name of the things, in the plural
 * @param leastFloorBytes a floor that is to be kept where the machine's own is lower
 */
export function memorySupply(machine: Machine, name: string, bytesEach: number, leastFloorBytes: number): Supply {
  const { totalBytes, availableBytes } = machine.memory()
  const floorBytes = Math.max(memoryFloorBytes(totalBytes), leastFloorBytes)
  return {
    name: `${name} that memory suffices for`,
    limit: Math.floor(totalBytes / bytesEach),
    used: Math.ceil((totalBytes - availableBytes) / bytesEach),
    floor: Math.ceil(floorBytes / bytesEach),
    guards: true,
  }
}
