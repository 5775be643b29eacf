// Waiting that ends at once when a run is aborted.
import type { Clock } from '../../proxy/clock.ts'

/** Resolves after so long. @throws the signal's reason when it aborts */
export function waitFor(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return waitUntil(clock, clock.now() + delayMs, signal)
}

/** Resolves at this time of the clock. @throws the signal's reason when it aborts */
export function waitUntil(clock: Clock, untilMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clock.clearTimer(timer)
      reject(signal.reason as Error)
    }
    const look = (): void => {
      // Timers may come early by a fraction.
      const leftMs = untilMs - clock.now()
      if (leftMs > 0) {
        timer = clock.setTimer(look, leftMs)
        return
      }
      signal.removeEventListener('abort', end)
      resolve()
    }
    let timer = clock.setTimer(look, untilMs - clock.now())
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
}

/** The work's end, or that of the signal, whichever is first. @throws the signal's reason when it aborts */
export function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(signal.reason as Error)
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end))
  })
}

/** The answer; undefined if it takes longer than so many milliseconds, or fails. */
export async function inTime<Result>(
  clock: Clock,
  mostMs: number,
  answer: Promise<Result>,
): Promise<Result | undefined> {
  const answered = new AbortController()
  const late = waitFor(clock, mostMs, answered.signal).catch(() => undefined)
  const outcome = await Promise.race([answer.catch(() => undefined), late.then(() => undefined)])
  answered.abort() // or the timer would keep the process
  return outcome
}
