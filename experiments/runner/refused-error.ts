// An experiment that may not run, with all reasons.
import { FaultlineError } from '../../proxy/errors.ts'

/** Nothing has acted. Its message has all reasons, one a line; their fields are those of the experiment's file. */
export class RefusedError extends FaultlineError {
  readonly errors: readonly FaultlineError[]

  /** @param errors at least one */
  constructor(errors: readonly FaultlineError[]) {
    const [first] = errors
    super(first?.code ?? 'invalid_value', errors.map(({ message }) => message).join('\n'), {
      ...(first?.field !== undefined && { field: first.field }),
      ...(first?.expected !== undefined && { expected: first.expected }),
    })
    this.name = 'RefusedError'
    this.errors = errors
  }
}
