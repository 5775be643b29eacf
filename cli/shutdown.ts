// How long-running commands end: on SIGINT or SIGTERM gracefully and in time, on a second signal at once.
import { constants } from 'node:os'

/** What {@link runUntilSignal} keeps running. */
export interface Running {
  close(): Promise<void>
}

/** Whoever sent the signal is about to send SIGKILL: docker stop after 10 s, most supervisors later. */
export const CLOSE_DEADLINE_MS = 5000

/** One Ctrl-C may come as two signals: from the terminal, and from the npm that runs this. People are slower. */
const SAME_KEYPRESS_MS = 100

/**
 * Starts something, waits for a signal, and closes it. Afterwards the process has nothing left to do and ends by itself;
 * if it has not at the deadline, it is ended with exit code 1.
 */
export async function runUntilSignal(
  start: () => Promise<Running>,
  closeDeadlineMs = CLOSE_DEADLINE_MS,
): Promise<void> {
  const signalled = nextSignal().then(() => giveUpAfter(closeDeadlineMs))
  const running = await start()
  await signalled
  await running.close()
}

/** For commands that just listen: aborts on SIGINT or SIGTERM. */
export function abortOnSignal(): AbortSignal {
  const controller = new AbortController()
  void nextSignal().then(() => controller.abort())
  return controller.signal
}

function giveUpAfter(deadlineMs: number): void {
  const timer = setTimeout(() => {
    process.stderr.write(`faultline: could not stop within ${deadlineMs / 1000} s, giving up\n`)
    process.exit(1)
  }, deadlineMs)
  timer.unref()
}

/** Resolves on the first signal; the second one ends the process. */
function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined
    const onSignal = (signal: NodeJS.Signals): void => {
      const atMs = performance.now()
      if (!first) {
        first = { signal, atMs }
        resolve()
        return
      }
      const sameKeypress = signal === 'SIGINT' && first.signal === 'SIGINT' && atMs - first.atMs < SAME_KEYPRESS_MS
      if (!sameKeypress) process.exit(128 + constants.signals[signal])
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}
