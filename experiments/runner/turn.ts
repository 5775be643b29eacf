// Waits until it is the turn of an experiment. Whose turn it is, the target says: there may be others than this process.
import { systemClock } from '../../proxy/clock.ts'
import { waitFor } from './waiting.ts'

const MOST_PAUSE_MS = 250
/** Looks in the time of a lease: two may be late. */
const LOOKS = 3

export interface TurnOptions {
  readonly leaseMs: number
  /** Renews the lease. @returns how many experiments have to end before. @throws if it can't be renewed */
  readonly renew: () => Promise<number>
  /** Told how many, first and whenever that changes; 0 at last. */
  readonly onAhead: (ahead: number) => void
}

/** @throws what `renew` throws, and the signal's reason when it aborts */
export async function untilTurn({ leaseMs, renew, onAhead }: TurnOptions, signal: AbortSignal): Promise<void> {
  const pauseMs = Math.min(MOST_PAUSE_MS, leaseMs / LOOKS)
  let told: number | undefined
  for (;;) {
    signal.throwIfAborted()
    const ahead = await renew()
    if (ahead !== told) onAhead(ahead)
    if (ahead === 0) return
    told = ahead
    await waitFor(systemClock, pauseMs, signal)
  }
}
