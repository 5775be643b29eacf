// How far down the machine's free memory may be pressed.
import { memoryFloorBytes, type Machine } from '../../machine/machine.ts'

export interface FloorLimits {
  /** Below this everything is given back and the stressor ends. */
  readonly floorBytes: number
  /** This is left when the stressor takes all it can: others may take a little without an end to the test. */
  readonly keepFreeBytes: number
}

const MIN_MARGIN_BYTES = 32 * 2 ** 20
const MARGIN_SHARE = 0.01

/** @param atLeastBytes a floor that is to be kept where the machine's own is lower */
export function floorLimits(machine: Machine, atLeastBytes: number): FloorLimits {
  const { totalBytes } = machine.memory()
  const floorBytes = Math.max(memoryFloorBytes(totalBytes), atLeastBytes)
  return { floorBytes, keepFreeBytes: floorBytes + Math.max(MIN_MARGIN_BYTES, Math.ceil(totalBytes * MARGIN_SHARE)) }
}
