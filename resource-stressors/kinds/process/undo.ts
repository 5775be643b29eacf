// Lets processes go on that were stopped. Harmless for one that was not.
import { signalProcess, type ProcessIdentity } from '../../machine/process-identity.ts'

/**
 * Those that are gone, and later ones of the same number, get nothing.
 *
 * @throws what the system said of the first that may not be signalled, after all others were
 */
export function continueProcesses(targets: readonly ProcessIdentity[]): void {
  const errors: unknown[] = []
  for (const target of targets) {
    try {
      signalProcess(target, 'SIGCONT')
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/** For the guard. */
export async function readyToContinue(targets: readonly ProcessIdentity[]): Promise<() => Promise<void>> {
  return async () => continueProcesses(targets)
}
