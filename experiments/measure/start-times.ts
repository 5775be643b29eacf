// When the attempts of a rate are to start, as a function of their number: nothing adds up, and so nothing drifts.

/** The rate grows or falls evenly from this one to the full one. */
export interface RateRamp {
  /** 0 or more. */
  readonly fromPerSecond: number
  readonly overMs: number
}

/** @returns milliseconds after the first attempt, by how many attempts there were before */
export function startTimes(perSecond: number, ramp?: RateRamp): (count: number) => number {
  const perMs = perSecond / 1000
  if (!ramp || ramp.overMs === 0) return (count) => count / perMs
  const { overMs } = ramp
  const fromPerMs = ramp.fromPerSecond / 1000
  // The rate at a time is a line, so that the attempts up to then are a parabola: from · t + (to - from) · t² / (2 · over).
  const bend = (perMs - fromPerMs) / (2 * overMs)
  const inRamp = ((fromPerMs + perMs) / 2) * overMs
  return (count) => {
    if (count >= inRamp) return overMs + (count - inRamp) / perMs
    // The root of that, in the form that has no difference of two numbers that are nearly the same.
    return count === 0 ? 0 : (2 * count) / (fromPerMs + Math.sqrt(fromPerMs ** 2 + 4 * bend * count))
  }
}
