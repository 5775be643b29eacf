// The beginning of a connection: requests for encryption, cancel requests, and who the client says it is.
import type { InstalledFault } from '../../installed-fault.ts'
import { cancelTargets } from './cancel.ts'
import { plain } from './expected.ts'
import { Fate } from './message-flow.ts'
import { ruleOf, type PostgresCore } from './core.ts'
import { readStartup } from './startup.ts'

/** The flow of the client's messages. */
export interface EntranceHost {
  readonly dead: boolean
  flush(): void
  send(message: Buffer): void
  hold(): void
  resume(): void
  /** From now on messages have types. */
  entered(): void
}

export class Entrance {
  readonly #session: PostgresCore
  readonly #host: EntranceHost
  /** What waits for a fault to be removed. */
  #heldMessage: Buffer | undefined

  constructor(session: PostgresCore, host: EntranceHost) {
    this.#session = session
    this.#host = host
  }

  /** @param message without a type: StartupMessage, CancelRequest, SSLRequest or GSSENCRequest */
  message(message: Buffer): Fate {
    const session = this.#session
    const startup = readStartup(message)
    switch (startup.kind) {
      case 'unknown':
        session.opaque(startup.reason, 'upstream')
        return Fate.pass
      case 'gss':
        this.#host.flush()
        return session.encryption.askedForGss()
      case 'ssl':
        this.#host.flush()
        return session.encryption.askedForTls()
      case 'cancel':
        if (!cancelTargets.get(startup.key)?.cancel()) return this.#pass(message, false)
        // As the server does when it has taken notice.
        session.closeUnanswered()
        return Fate.drop
      default:
        session.renamed(startup.connection)
        session.replicates = startup.replicates
        return this.#refused(message) ?? this.#pass(message, true)
    }
  }

  /** What faults of connections say. */
  #refused(message: Buffer): Fate | undefined {
    const session = this.#session
    const event = session.bareEvent()
    const { user, database } = event.connection
    for (const fault of session.of('startup')) {
      if (!session.concerns(fault) || ruleOf(fault).applies?.(event) === false || !session.selects(fault, event))
        continue
      const verdict = session.decide(fault, event)
      if (verdict.kind !== 'refuse' && verdict.kind !== 'hang') continue
      if (verdict.at !== 'startup') {
        session.replies.login.stopAhead(fault, verdict)
        return undefined
      }
      const detail = { user, database, at: verdict.at }
      if (verdict.kind === 'hang') {
        session.record(fault, 'hang', detail)
        this.#hang(fault, message)
        return Fate.taken
      }
      session.record(fault, 'refuse', { ...detail, code: verdict.error.code })
      session.endWith(verdict.error, false)
      return Fate.drop
    }
    return undefined
  }

  #hang(fault: InstalledFault, message: Buffer): void {
    this.#host.hold()
    this.#heldMessage = Buffer.from(message)
    this.#session.whenRemoved(fault, () => {
      const held = this.#heldMessage
      this.#heldMessage = undefined
      if (!held || this.#host.dead) return
      if (this.#pass(held, true) === Fate.taken) return
      this.#host.send(held)
      this.#host.resume()
    })
  }

  /** The first message goes up when the server's side is as it has to be. */
  #pass(message: Buffer, starts: boolean): Fate {
    const session = this.#session
    const host = this.#host
    const passed = (): void => {
      if (starts) host.entered()
      session.expect(plain('startup'))
    }
    const copy = Buffer.from(message)
    const waits = session.encryption.toServer((error) => {
      if (error) return session.endWith(error, false)
      host.send(copy)
      passed()
      host.resume()
    })
    if (waits) {
      host.hold()
      return Fate.taken
    }
    passed()
    return Fate.pass
  }
}
