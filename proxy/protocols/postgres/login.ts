// How far the server lets the client in: the messages of authentication, and faults that stop a client there.
import type { PostgresVerdict } from '../../faults/postgres/postgres-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { PostgresCore } from './core.ts'
import { decodeError, encodeError } from './error-fields.ts'
import { Fate } from './message-flow.ts'
import { MessageReader } from './wire.ts'

/** AuthenticationOk and AuthenticationSASLFinal: the password was right. */
const AUTHENTICATED = 0
const SASL_FINAL = 12

/** The flow of the server's messages. */
export interface LoginHost {
  flush(): void
  send(message: Buffer): void
  /** Until the fault is removed. */
  holdFor(fault: InstalledFault): void
}

export class Login {
  readonly #session: PostgresCore
  readonly #host: LoginHost
  #ahead: { readonly fault: InstalledFault; readonly verdict: StopVerdict } | undefined

  constructor(session: PostgresCore, host: LoginHost) {
    this.#session = session
    this.#host = host
  }

  /** The client comes so far and no further. */
  stopAhead(fault: InstalledFault, verdict: StopVerdict): void {
    this.#ahead = { fault, verdict }
  }

  authentication(message: Buffer): Fate {
    const session = this.#session
    const kind = new MessageReader(message).int32()
    const replaced = session.encryption.authentication(kind, message)
    if (replaced) return this.#replace(replaced)
    if (!this.#ahead || (kind !== AUTHENTICATED && kind !== SASL_FINAL)) return Fate.pass
    const { fault, verdict } = this.#ahead
    const letIn = verdict.at === 'authenticated'
    if (!session.installed(fault) || (letIn && kind !== AUTHENTICATED)) return Fate.pass
    this.#ahead = undefined
    const { user, database } = session.connection
    const detail = { user, database, at: verdict.at }
    this.#host.flush()
    if (verdict.kind === 'hang') {
      session.record(fault, 'hang', detail)
      this.#host.holdFor(fault)
      // The client hears that it is authenticated, or not even that.
      if (!letIn) return Fate.again
      this.#host.send(message)
      return Fate.taken
    }
    session.record(fault, 'refuse', { ...detail, code: verdict.error.code })
    if (letIn) this.#host.send(message)
    session.endWith(verdict.error, false)
    return Fate.drop
  }

  error(message: Buffer): Fate {
    const fields = decodeError(message)
    const hint = this.#session.encryption.channelBindingHint(fields.code)
    return hint === undefined ? Fate.pass : this.#replace(encodeError({ ...fields, hint }))
  }

  #replace(message: Buffer): Fate {
    this.#host.flush()
    this.#host.send(message)
    return Fate.drop
  }
}

type StopVerdict = Extract<PostgresVerdict, { kind: 'refuse' | 'hang' }>
