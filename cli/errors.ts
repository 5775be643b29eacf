// The two ways in which a command ends badly. Anything else that is thrown is a bug.

/** Something is wrong with what was typed: exit code 2, and nothing has been done. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** The command that tells more. */
  readonly help: string | undefined

  constructor(message: string, options: { readonly help?: string; readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.help = options.help
  }
}

/** It was typed well, and failed all the same: exit code 1, unless it is a command that tells more by it. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(
    message: string,
    { exitCode = 1, ...options }: { readonly exitCode?: number; readonly cause?: unknown } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.exitCode = exitCode
  }
}
