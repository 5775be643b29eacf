// Lets a run revert everything when its process is told to end.

export interface ProcessSignals extends Disposable {
  /** Aborts with the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal
}

/** While it is there, the process is not ended by the first such signal; by the second it is, at once. */
export function abortOnSignals(): ProcessSignals {
  const controller = new AbortController()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const abort = (name: NodeJS.Signals): void => {
    // From now on they do what they usually do. What is held by a lease ends all the same.
    remove()
    controller.abort(new Error(`stopped by ${name}`))
  }
  const remove = (): void => {
    for (const name of names) process.off(name, abort)
  }
  for (const name of names) process.on(name, abort)
  return { signal: controller.signal, [Symbol.dispose]: remove }
}
