// A request that is turned away before anybody looks at what it wants.

/**
 * An error with the HTTP status that it is answered with. Fastify knows `statusCode`; our own API shows the rest in a
 * problem document, Toxiproxy's the message.
 */
export class Refusal extends Error {
  readonly statusCode: number
  readonly code: string
  /** The header or field that is wrong. */
  readonly field: string | undefined
  /** What would have been right there. */
  readonly expected: string | undefined

  constructor(statusCode: number, code: string, message: string, about: { field?: string; expected?: string } = {}) {
    super(message)
    this.name = 'Refusal'
    this.statusCode = statusCode
    this.code = code
    this.field = about.field
    this.expected = about.expected
  }
}
