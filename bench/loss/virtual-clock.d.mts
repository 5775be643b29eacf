// Types for the tests that use the clock.
import type { Clock, TimerHandle } from '../../proxy/clock.ts'

export class VirtualClock implements Clock {
  now(): number
  wallTimeMs(): number
  setTimer(callback: () => void, delayMs: number): TimerHandle
  clearTimer(timer: TimerHandle): void
  get pendingTimers(): number
  step(limitMs?: number): boolean
  run(wanted: () => boolean, limitMs?: number): void
}
