// When the kernel's timers really fire: later than asked, and the later the longer they wait.

/** 250 ticks a second, as most distributions configure Linux. */
const TICK_MS = 4
/** Beyond so many ticks a timer waits on the next coarser wheel, ... */
const FINEST_WHEEL_TICKS = 63
/** ... which turns slower by this. */
const WHEEL_RATIO = 8

/**
 * The time at which a timer set at `nowMs` for `delayMs` later fires. It is rounded up to the next tick of the wheel
 * that holds it: 4 ms below 252 ms, 32 ms below 2 s, 256 ms below 16 s, 2 s above (Linux, kernel/time/timer.c).
 */
export function wheelDueMs(nowMs: number, delayMs: number): number {
  const delayTicks = Math.ceil(delayMs / TICK_MS)
  const dueTick = Math.floor(nowMs / TICK_MS) + delayTicks
  let granularity = 1
  for (let reach = FINEST_WHEEL_TICKS; delayTicks >= reach; reach *= WHEEL_RATIO) granularity *= WHEEL_RATIO
  return (Math.floor(dueTick / granularity) + 1) * granularity * TICK_MS
}
