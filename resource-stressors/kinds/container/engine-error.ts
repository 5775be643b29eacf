// Everything that can go wrong between us and a container engine.

export type EngineErrorCode =
  | 'unreachable' // nobody answers at its socket
  | 'forbidden' // the socket is there, and not for this user
  | 'timeout'
  | 'bad_answer' // whoever answers is no container engine
  | 'no_such_container'
  | 'refused' // it understood, and says why not

export class EngineError extends Error {
  readonly code: EngineErrorCode

  constructor(code: EngineErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'EngineError'
    this.code = code
  }
}

/** The code, if it is such an error. */
export function engineErrorCode(error: unknown): EngineErrorCode | undefined {
  return error instanceof EngineError ? error.code : undefined
}
