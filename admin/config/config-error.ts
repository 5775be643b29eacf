// What is wrong with a configuration file, and where: all that was found, each as compilers print it.
import { FaultlineError, type FaultlineErrorCode } from '../../proxy/index.ts'

/** A position in a file, counted from 1. Columns count UTF-16 code units, as editors do. */
export interface Place {
  readonly line: number
  readonly column: number
}

export interface ConfigProblem extends Place {
  readonly file: string
  readonly code: FaultlineErrorCode
  /** Path of the field, e.g. `proxies.payments.faults.0.type`; empty for the document as a whole. */
  readonly field: string
  /** What would have been right there. */
  readonly expected: string | undefined
  /** Begins with the field. */
  readonly message: string
}

/** A configuration that can't be used. Its message has all problems, one a line. */
export class ConfigError extends FaultlineError {
  readonly problems: readonly ConfigProblem[]

  /** @param problems at least one */
  constructor(problems: readonly ConfigProblem[], cause?: unknown) {
    const sorted = problems.toSorted((a, b) => a.line - b.line || a.column - b.column)
    const first = sorted[0]
    super(first?.code ?? 'invalid_value', sorted.map(describeProblem).join('\n'), {
      ...(first && { field: first.field }),
      ...(first?.expected !== undefined && { expected: first.expected }),
      cause,
    })
    this.name = 'ConfigError'
    this.problems = sorted
  }
}

/** `faultline.yaml:7:15: proxies.db.listen: expected host:port, got …` */
export function describeProblem({ file, line, column, message }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${message}`
}
