/** An activity could not do what it should. It is on record, and the run goes on. */
export class ActivityFailed extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'ActivityFailed'
  }
}
