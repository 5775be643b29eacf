// What the server says: matches it with what has been asked, rewrites errors that were provoked, and disturbs answers as
// faults have planned it.
import type { TimerHandle } from '../../clock.ts'
import type { Direction } from '../../faults/fault.ts'
import type { AnswerPlan } from '../../faults/postgres/postgres-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { MessageInput, MessageOutput } from '../protocol.ts'
import { decodeError, encodeError } from './error-fields.ts'
import { endsWithReady, type Expected, type Firing, type Gate } from './expected.ts'
import { Login, type LoginHost } from './login.ts'
import { Fate, MessageFlow } from './message-flow.ts'
import { MAX_OUTSTANDING, type PostgresCore } from './core.ts'
import { cancelKey } from './startup.ts'
import { nonceIn } from './swap.ts'
import { Backend, HEADER_BYTES, MessageReader } from './wire.ts'

/** Longer errors pass as they are. */
const MAX_LOOKED_AT_BYTES = 256 * 1024

export class AnswerFlow extends MessageFlow implements LoginHost {
  override readonly direction: Direction = 'downstream'
  readonly #session: PostgresCore
  readonly login: Login
  /** A result's end, in whose place an error may come. */
  #heldComplete: Buffer | undefined
  /** Nothing passes until the transaction's end is known. */
  #silencedBy: Gate | undefined
  /** The fault whose removal ends the silence that is kept here. */
  #heldBy: InstalledFault | undefined
  #timer: TimerHandle
  /** What has been waited for already. */
  #paid = false
  /** Called with the server's answer to a request for encryption. */
  #onEncryption: ((answer: number) => Fate) | undefined

  constructor(output: MessageOutput, session: PostgresCore) {
    super(output)
    this.#session = session
    this.login = new Login(session, this)
  }

  protected override flowChanged(): void {
    this.#session.encryption.flowChanged('downstream')
    // The client may have waited for answers to come.
    this.#session.encryption.flowChanged('upstream')
  }

  protected override nonsense(reason: string): void {
    this.#session.opaque(reason, 'downstream')
  }

  protected override ended(): void {
    this.passEnd()
  }

  override dispose(): void {
    this.#clearTimer()
    super.dispose()
  }

  send(message: Buffer): void {
    this.output.write(message)
  }

  /** The next byte answers a request for encryption. It passes if the client has asked for it. */
  expectEncryption(then: (answer: number) => Fate): void {
    this.shape = 'byte'
    this.#onEncryption = then
  }

  /** What a fault that is gone holds goes on. */
  removeFault(): void {
    if (this.#heldBy && this.#session.installed(this.#heldBy)) return
    if (!this.#heldBy) return
    this.#heldBy = undefined
    this.#clearTimer()
    this.resume()
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#session.host.clock.clearTimer(this.#timer)
    this.#timer = undefined
  }

  override write(chunk: Buffer): void {
    const { queue } = this.#session
    if (!this.#session.started && queue.length === 0 && this.shape === 'typed') {
      this.#session.opaque('the server has spoken first', 'downstream')
    }
    const wasFull = queue.length >= MAX_OUTSTANDING
    super.write(chunk)
    if (wasFull) this.#session.encryption.flowChanged('upstream')
  }

  override passThrough(through: MessageInput | MessageOutput): void {
    this.#releaseComplete()
    super.passThrough(through)
  }

  // ---- messages --------------------------------------------------------------------------------------------------

  protected override wants(type: number, size: number): boolean {
    if (this.shape === 'byte') return true
    switch (type) {
      case Backend.error:
      case Backend.authentication:
      case Backend.parameterStatus:
      case Backend.commandComplete:
        return size <= MAX_LOOKED_AT_BYTES
      case Backend.backendKeyData:
        return size <= 300
      case Backend.readyForQuery:
        return size === 6
      default:
        return false
    }
  }

  protected override header(type: number, size: number): Fate {
    return this.#answer(type, size, undefined)
  }

  protected override message(type: number, message: Buffer): Fate {
    if (this.shape === 'byte') return this.#encryption(type)
    switch (type) {
      case Backend.error:
        return this.#error(message)
      case Backend.authentication:
        return this.login.authentication(message)
      case Backend.parameterStatus:
        this.#parameter(message)
        return Fate.pass
      case Backend.backendKeyData:
        this.#session.setCancelKey(cancelKey(message.subarray(HEADER_BYTES)))
        return Fate.pass
      case Backend.readyForQuery:
        return this.#ready(message)
      default:
        return this.#answer(type, message.length, message)
    }
  }

  #encryption(answer: number): Fate {
    this.shape = 'typed'
    const then = this.#onEncryption
    this.#onEncryption = undefined
    this.flush()
    return then?.(answer) ?? Fate.pass
  }

  #parameter(message: Buffer): void {
    const reader = new MessageReader(message)
    if (reader.string() !== 'application_name') return
    this.#session.renamed({ ...this.#session.connection, applicationName: reader.string() })
  }

  /** A message that belongs to what has been asked first, unless it may come at any time. */
  #answer(type: number, size: number, message: Buffer | undefined): Fate {
    if (type === Backend.notice || type === Backend.notification) return Fate.pass
    const expected = this.#session.queue[0]
    if (!expected) return Fate.pass
    const fate = expected.special || this.#silencedBy ? this.#disturb(expected, type, size, message) : Fate.pass
    if (fate === Fate.again || this.dead) return fate
    this.#progress(expected, type)
    return fate
  }

  /** Counts, and finds the ends of answers within a run of the extended protocol. */
  #progress(expected: Expected, type: number): void {
    const { asked } = expected
    switch (type) {
      case Backend.dataRow:
        if (expected.special) expected.rows++
        return
      case Backend.commandComplete:
      case Backend.emptyQuery:
      case Backend.portalSuspended:
        if (asked === 'execute') this.#complete(expected)
        else if (expected.special) {
          expected.completes++
          expected.rows = 0
        }
        return
      case Backend.parseComplete:
        if (asked === 'parse') this.#complete(expected)
        return
      case Backend.bindComplete:
        if (asked === 'bind') this.#complete(expected)
        return
      case Backend.closeComplete:
        if (asked === 'close') this.#complete(expected)
        return
      case Backend.rowDescription:
      case Backend.noData:
        if (asked === 'describe') this.#complete(expected)
        return
      case Backend.copyIn:
        if (asked === 'execute' || asked === 'query') this.#copyInBegins()
        // The server answers when it has got the data.
        this.#session.requests.becameIdle()
        return
      default:
    }
  }

  #complete(expected: Expected): void {
    const session = this.#session
    session.queue.shift()
    while (session.queue[0]?.asked === 'copyEnd') session.queue.shift()
    if (expected.special) session.settle(expected)
  }

  /** Until the client has ended it, the server takes no notice of Sync (PostgreSQL manual, "COPY Operations"). */
  #copyInBegins(): void {
    const { queue } = this.#session
    for (let index = 1; index < queue.length;) {
      const asked = queue[index]?.asked
      if (asked === 'copyEnd') return void queue.splice(index, 1)
      if (asked === 'sync') queue.splice(index, 1)
      else index++
    }
    this.#session.copyIn = true
  }

  // ---- disturbing ------------------------------------------------------------------------------------------------

  #disturb(expected: Expected, type: number, size: number, message: Buffer | undefined): Fate {
    if (expected.hidden) return Fate.drop
    this.#releaseComplete()
    if (this.#silencedBy) return Fate.drop
    for (const gate of expected.gates ?? NO_GATES) {
      const fate = this.#gate(gate, expected, type, size)
      if (fate !== Fate.pass) return fate
    }
    this.#paid = false
    switch (type) {
      case Backend.commandComplete:
        if (expected.droppedCompletes?.includes(expected.completes)) return Fate.drop
        if (!expected.errorReplacesComplete || !message) return Fate.pass
        this.#heldComplete = Buffer.from(message)
        return Fate.drop
      case Backend.portalSuspended:
        return expected.dropSuspended ? Fate.drop : Fate.pass
      default:
        return Fate.pass
    }
  }

  #releaseComplete(): void {
    if (!this.#heldComplete) return
    this.flush()
    this.output.write(this.#heldComplete)
    this.#heldComplete = undefined
  }

  #gate(gate: Gate, expected: Expected, type: number, size: number): Fate {
    const session = this.#session
    const { fault, what, detail } = gate
    if (gate.part !== expected.completes || !session.installed(fault)) return Fate.pass
    if (what.kind === 'pace') {
      if (type !== Backend.dataRow || expected.rows % what.everyRows !== 0 || this.#paid) return Fate.pass
      this.#paid = true
      if (!gate.acted) session.record(fault, 'pace', detail)
      gate.acted = true
      const delayMs = what.delayMs(expected.rows)
      if (delayMs <= 0) return Fate.pass
      this.holdFor(fault)
      this.#timer = session.host.clock.setTimer(() => {
        this.#timer = undefined
        this.#heldBy = undefined
        this.resume()
      }, delayMs)
      return Fate.again
    }
    const { at, end, action } = what.plan
    if (at.kind === 'ready') {
      if (type === Backend.error || expected.failed) return Fate.pass
      gate.acted = true
      this.#silencedBy = gate
      return Fate.drop
    }
    const isRow = type === Backend.dataRow
    if (at.kind === 'rows' && !(isRow && expected.rows >= at.rows)) return Fate.pass
    gate.acted = true
    session.record(fault, action, { ...detail, rows: expected.rows })
    if (end === 'hold') {
      this.holdFor(fault)
      return Fate.again
    }
    if (at.kind === 'rows' && at.part) {
      return this.passPart(HEADER_BYTES + Math.floor((size - HEADER_BYTES) / 2), () => this.#endBy(end))
    }
    this.flush()
    this.#endBy(end)
    return Fate.drop
  }

  #endBy(end: Exclude<AnswerPlan['end'], 'hold'>): void {
    if (end === 'reset') this.#session.resetBoth(true)
    else this.#session.endWith(end.error, end.notice ?? false)
  }

  holdFor(fault: InstalledFault): void {
    this.#heldBy = fault
    this.hold()
  }

  #ready(message: Buffer): Fate {
    const session = this.#session
    const silencedBy = this.#silencedBy
    if (silencedBy && silencedBy.what.kind === 'answer') {
      const { end, action } = silencedBy.what.plan
      session.record(silencedBy.fault, action, silencedBy.detail)
      this.flush()
      if (end !== 'hold') this.#endBy(end)
      return Fate.drop
    }
    const [first] = session.queue
    const gated = first?.gates?.map((gate) => this.#gate(gate, first, Backend.readyForQuery, message.length))
    if (gated?.includes(Fate.again)) return Fate.again
    if (this.dead) return Fate.drop
    this.#releaseComplete()
    if (first?.asked === 'startup' && session.replicates) {
      session.opaque('physical replication', 'upstream')
      return Fate.pass
    }
    if (!session.attends) {
      this.#passedReady(session.ready(message[HEADER_BYTES] as number))
      return Fate.pass
    }
    this.flush()
    const status = message[HEADER_BYTES] as number
    const answered = session.ready(status)
    const passes = !answered?.hidden || answered.passReady === true || (answered.failed && answered.passErrors === true)
    const begins = this.#passedReady(answered)
    // Before a client is told that it is let in, its connection is made what faults want it to be.
    const replaced = begins && session.transaction === 'idle' && !session.busy && session.useIdle(true, true)
    if (passes && !replaced && !this.dead) this.output.write(message)
    if (!session.busy) session.becameIdle(!answered?.hidden)
    return Fate.drop
  }

  /** Returns true if the connection has just begun. */
  #passedReady(answered: Expected | undefined): boolean {
    if (answered?.asked !== 'startup') return false
    this.#session.started = true
    return true
  }

  // ---- errors ----------------------------------------------------------------------------------------------------

  #error(message: Buffer): Fate {
    const session = this.#session
    const [expected] = session.queue
    this.#endSilence(expected)
    const firing = session.firings.size > 0 ? this.#firingOf(message) : undefined
    if (firing) return this.#rewrite(firing, expected)
    this.#releaseComplete()
    if (expected?.asked === 'startup') return this.login.error(message)
    if (!expected) return Fate.pass
    for (const gate of expected.gates ?? NO_GATES) {
      const fate = this.#gate(gate, expected, Backend.error, message.length)
      if (fate === Fate.again || this.dead) return fate
    }
    const dropped = this.#silencedBy !== undefined || (expected.hidden === true && expected.passErrors !== true)
    this.#failed(expected)
    return dropped ? Fate.drop : Fate.pass
  }

  /** What was to be kept quiet has not happened, unless it was a COMMIT that had been done before the error. */
  #endSilence(failed: Expected | undefined): void {
    const gate = this.#silencedBy
    if (!gate) return
    const done = !failed?.gates?.includes(gate) || failed.completes > gate.part
    if (done && gate.detail['statement'] === 'commit') return
    this.#silencedBy = undefined
    gate.fault.selection.giveBack(gate.key)
  }

  #firingOf(message: Buffer): Firing | undefined {
    const fields = decodeError(message)
    const nonce = nonceIn(fields.message)
    const firing = nonce === undefined ? undefined : this.#session.firings.get(nonce)
    return firing?.provokes === fields.code ? firing : undefined
  }

  #rewrite(firing: Firing, expected: Expected | undefined): Fate {
    const session = this.#session
    session.firings.delete(firing.nonce)
    this.#heldComplete = undefined
    this.flush()
    if (firing.fault) session.record(firing.fault, firing.action, firing.detail)
    if (firing.error.severity === 'FATAL' || firing.notice) {
      session.endWith(firing.error, firing.notice)
      return Fate.drop
    }
    if (!this.#silencedBy) this.output.write(encodeError(firing.error))
    if (expected) this.#failed(expected)
    return Fate.drop
  }

  #failed(expected: Expected): void {
    if (!endsWithReady(expected.asked)) this.#session.skipToSync()
    else if (expected.special) expected.failed = true
  }
}

const NO_GATES: readonly Gate[] = []
