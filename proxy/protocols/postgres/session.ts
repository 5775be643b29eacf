// One Postgres connection: what its client asks, what its server answers, and the faults that come between.
import type { TimerHandle } from '../../clock.ts'
import type { Direction } from '../../faults/fault.ts'
import type {
  PgErrorFields,
  PostgresConnection,
  PostgresEvent,
  PostgresMoment,
  PostgresVerdict,
  TransactionState,
} from '../../faults/postgres/postgres-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { Random } from '../../random.ts'
import { RESET_GRACE_MS } from '../../socket.ts'
import type { Session, SessionHost, SourceInput } from '../protocol.ts'
import { AnswerFlow } from './answer-flow.ts'
import { cancelTargets } from './cancel.ts'
import { keyOf, ruleOf, type PostgresCore } from './core.ts'
import { Encryption } from './encryption.ts'
import { encodeError, encodeNotice } from './error-fields.ts'
import { endsWithReady, type Expected, type Firing } from './expected.ts'
import { IdleMoments } from './idle.ts'
import type { PostgresOptions } from './options.ts'
import { RequestFlow } from './request-flow.ts'
import type { StatementKind } from './sql.ts'

const NOBODY: PostgresConnection = { user: '', database: '', applicationName: '' }

export class PostgresSession implements Session, PostgresCore {
  readonly input: Readonly<Record<Direction, SourceInput>>
  readonly host: SessionHost
  readonly options: PostgresOptions
  readonly requests: RequestFlow
  readonly replies: AnswerFlow
  readonly encryption: Encryption
  rules: readonly InstalledFault[] = []
  readonly #byMoment = new Map<PostgresMoment, readonly InstalledFault[]>()
  #serializes = false
  /** Of statements that faults ask about; undefined = all. */
  #kinds: ReadonlySet<StatementKind> | undefined
  connection = NOBODY
  /** What has been asked and not been answered, the oldest first. */
  readonly queue: Expected[] = []
  /** An error has come: everything up to the next Sync is skipped by the server. */
  skipping = false
  /** COPY FROM STDIN is on: the server takes no notice of Sync. */
  copyIn = false
  /** By nonce. */
  readonly firings = new Map<string, Firing>()
  /** After what has been sent, as far as is known. */
  transaction: TransactionState = 'idle'
  started = false
  replicates = false
  /** Messages of the extended protocol have been sent without a Sync: a statement of the proxy's would break them up. */
  #unsynced = false
  #cancelKey: string | undefined
  #eventCount = 0
  #opaqueReason: string | undefined
  #ending = false
  readonly #idle: IdleMoments
  #resetTimer: TimerHandle
  readonly #whenRemoved = new Map<InstalledFault, () => void>()
  readonly #notUnderstood = new Set<InstalledFault>()
  readonly #randoms = new Map<InstalledFault, Random>()
  readonly #connectionMatches = new Map<unknown, boolean>()

  constructor(host: SessionHost, options: PostgresOptions) {
    this.host = host
    this.options = options
    this.requests = new RequestFlow(host.output.upstream, this)
    this.replies = new AnswerFlow(host.output.downstream, this)
    this.encryption = new Encryption(this)
    this.#idle = new IdleMoments(this)
    this.input = this.encryption.input
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  /** A client may be refused without a server. */
  get answers(): boolean {
    return this.of('startup').length > 0
  }

  of(moment: PostgresMoment): readonly InstalledFault[] {
    return this.#byMoment.get(moment) ?? NONE
  }

  /** Whether messages of a client that does not wait for answers are to be held back. */
  get serializes(): boolean {
    return this.#serializes && this.rules.some((fault) => ruleOf(fault).serialize === true && this.concerns(fault))
  }

  addFault(fault: InstalledFault): void {
    if (this.#opaqueReason !== undefined) return this.notApplied(fault, this.#opaqueReason)
    this.#setRules([...this.rules, fault])
    this.#lookIdle()
  }

  /** New settings hold for what comes; what is on its way goes on with the old ones. */
  updateFault(): void {
    this.#connectionMatches.clear()
    this.#setRules(this.rules)
    this.#lookIdle()
  }

  removeFault(fault: InstalledFault): void {
    this.#setRules(this.rules.filter((rule) => rule !== fault))
    this.#randoms.delete(fault)
    this.#notUnderstood.delete(fault)
    this.#idle.removeFault(fault)
    this.requests.removeFault(fault)
    this.replies.removeFault()
    const callback = this.#whenRemoved.get(fault)
    this.#whenRemoved.delete(fault)
    callback?.()
    this.#lookIdle()
  }

  /** Calls back once, when the fault is gone. */
  whenRemoved(fault: InstalledFault, callback: () => void): void {
    this.#whenRemoved.set(fault, callback)
  }

  /** Whether anything may be to be done when the connection becomes idle: else ReadyForQuery passes with the rest. */
  get attends(): boolean {
    return this.#idle.needed || this.requests.serializing || this.queue[0]?.special === true
  }

  #setRules(rules: readonly InstalledFault[]): void {
    this.rules = rules
    this.#byMoment.clear()
    for (const fault of rules) {
      const { moment } = ruleOf(fault)
      this.#byMoment.set(moment, [...this.of(moment), fault])
    }
    const kinds = this.of('statement').map((fault) => ruleOf(fault).match.kinds)
    this.#kinds = kinds.includes(undefined) ? undefined : new Set(kinds.flatMap((some) => [...(some ?? [])]))
    this.#serializes = rules.some((fault) => ruleOf(fault).serialize === true)
  }

  /** Whether a fault is about this connection at all. */
  concerns(fault: InstalledFault): boolean {
    const { rule } = fault
    let known = this.#connectionMatches.get(rule)
    if (known === undefined) {
      known = ruleOf(fault).match.connection(this.connection)
      this.#connectionMatches.set(rule, known)
    }
    return known
  }

  /** The client's words about itself have changed. */
  renamed(connection: PostgresConnection): void {
    this.connection = connection
    this.#connectionMatches.clear()
  }

  nextNumber(): number {
    return ++this.#eventCount
  }

  /** Counts an event that matches; true if the fault acts on it. */
  selects(fault: InstalledFault, event: PostgresEvent): boolean {
    return fault.selection.select(fault, keyOf(fault, event), () =>
      this.host.random('downstream', fault, 'probability').at(event.number),
    )
  }

  decide(fault: InstalledFault, event: PostgresEvent): PostgresVerdict {
    const session = this
    return ruleOf(fault).decide(event, {
      clock: this.host.clock,
      get random() {
        return session.#random(fault)
      },
    })
  }

  #random(fault: InstalledFault): Random {
    let random = this.#randoms.get(fault)
    if (!random) this.#randoms.set(fault, (random = this.host.random('downstream', fault, 'message')))
    return random
  }

  record(fault: InstalledFault, action: string, detail: InjectionDetail): void {
    this.host.record(fault, 'downstream', action, detail)
  }

  notApplied(fault: InstalledFault, reason: string): void {
    this.host.event('fault_not_applied', { fault: fault.name, type: fault.type, reason })
  }

  /** Told once a connection: such texts tend to come again. */
  notUnderstood(fault: InstalledFault): void {
    if (this.#notUnderstood.has(fault)) return
    this.#notUnderstood.add(fault)
    this.notApplied(fault, 'a statement could not be parsed, so that its kind and tables are not known')
  }

  asksAbout(kind: StatementKind): boolean {
    return this.#kinds === undefined || this.#kinds.has(kind)
  }

  installed(fault: InstalledFault): boolean {
    return this.rules.includes(fault)
  }

  outputDrained(direction: Direction): void {
    this.encryption.drained(direction)
  }

  dispose(): void {
    this.#idle.stop()
    if (this.#resetTimer !== undefined) this.host.clock.clearTimer(this.#resetTimer)
    this.#resetTimer = undefined
    this.requests.dispose()
    this.replies.dispose()
    this.encryption.dispose()
    const key = this.#cancelKey
    if (key !== undefined && cancelTargets.get(key) === this) cancelTargets.delete(key)
  }

  // ---- asking and being answered ---------------------------------------------------------------------------------

  /** Something has been sent to which the server answers. */
  expect(expected: Expected): void {
    const { asked } = expected
    if (asked !== 'copyEnd') this.#unsynced = !endsWithReady(asked)
    if (asked === 'sync') {
      if (this.copyIn) return
      this.skipping = false
    } else if (this.skipping) return this.giveUp(expected)
    this.queue.push(expected)
    if (expected.firing) this.firings.set(expected.firing.nonce, expected.firing)
  }

  /** Its answer will not come. */
  giveUp(expected: Expected): void {
    const { firing } = expected
    if (firing && this.firings.delete(firing.nonce)) firing.fault?.selection.giveBack(firing.key)
    this.#settleGates(expected)
    expected.done?.(true)
  }

  /** An error has come in answer to a message of the extended protocol. */
  skipToSync(): void {
    // Also simple queries and function calls, if the client has not sent Sync before them.
    while (this.queue.length > 0 && this.queue[0]?.asked !== 'sync') this.giveUp(this.queue.shift() as Expected)
    this.copyIn = false
    if (this.queue.length > 0) return
    this.skipping = true
    // Nothing comes in answer to what has been sent: nobody may wait for that before the client's Sync.
    this.requests.becameIdle()
  }

  /** ReadyForQuery: all up to what it answers is done. */
  ready(status: number): Expected | undefined {
    let answered: Expected | undefined
    for (;;) {
      const first = this.queue.shift()
      if (!first) break
      if (endsWithReady(first.asked)) {
        answered = first
        break
      }
      this.giveUp(first)
    }
    while (this.queue[0]?.asked === 'copyEnd') this.queue.shift()
    this.copyIn = false
    if (answered?.special) this.settle(answered)
    if (this.queue.length === 0) {
      this.transaction = status === 0x54 ? 'open' : status === 0x45 ? 'failed' : 'idle'
      if (this.transaction === 'idle') this.requests.transactionEnded()
    }
    return answered
  }

  /** Its answer has come to its end. */
  settle(answered: Expected): void {
    // An error of another kind has come before: it was not ours to count.
    if (answered.firing) return this.giveUp(answered)
    this.#settleGates(answered)
    answered.done?.(answered.failed)
  }

  /** What would have come later, e.g. behind more rows, was not to be counted either. */
  #settleGates({ gates }: Expected): void {
    if (gates) for (const { acted, fault, key } of gates) if (!acted) fault.selection.giveBack(key)
  }

  get busy(): boolean {
    return this.queue.length > 0 || this.skipping
  }

  // ---- the connection's beginning and end ------------------------------------------------------------------------

  setCancelKey(key: string): void {
    this.#cancelKey = key
    cancelTargets.set(key, this)
  }

  /** A CancelRequest for this connection. True if it concerned a statement that the proxy held itself. */
  cancel(): boolean {
    return this.requests.cancel()
  }

  /** Ends the connection with an error, as servers do: what was sent before arrives, FIN follows. */
  endWith(error: PgErrorFields, notice: boolean): void {
    if (this.#ending) return
    this.#ending = true
    const { output } = this.replies
    output.write(notice ? encodeNotice({ ...error, severity: 'WARNING' }) : encodeError(error))
    this.requests.dispose()
    this.replies.dispose()
    output.close()
  }

  /** FIN to both ends; the server hears nothing of it. */
  closeUnanswered(): void {
    this.#ending = true
    const { output } = this.replies
    this.requests.dispose()
    this.replies.dispose()
    output.close()
  }

  /** RST to both ends. */
  resetBoth(behindBytes: boolean): void {
    if (this.#ending) return
    this.#ending = true
    this.requests.dispose()
    this.replies.dispose()
    if (behindBytes)
      this.#resetTimer = this.host.clock.setTimer(() => this.host.output.downstream.reset(), RESET_GRACE_MS)
    else this.host.output.downstream.reset()
  }

  /** What comes can't be understood: from here on bytes just pass. */
  opaque(reason: string, direction: Direction): void {
    if (this.#opaqueReason !== undefined) return
    this.#opaqueReason = reason
    this.#idle.stop()
    this.host.event('opaque', { protocol: 'postgres', direction, reason })
    for (const fault of this.rules) this.notApplied(fault, reason)
    this.#setRules([])
    for (const callback of this.#whenRemoved.values()) callback()
    this.#whenRemoved.clear()
    this.requests.release()
    this.replies.passThrough(this.replies.output)
    this.requests.passThrough(this.requests.output)
    for (const expected of this.queue.splice(0)) this.giveUp(expected)
    this.encryption.flowChanged('upstream')
  }

  // ---- when nothing happens --------------------------------------------------------------------------------------

  /** A message has come: the moment is over. */
  notIdle(): void {
    this.#idle.stop()
  }

  /**
   * The last answer has been passed on.
   *
   * @param ofClient it was one that the client has asked for
   */
  becameIdle(ofClient: boolean): void {
    this.#lookIdle(ofClient)
    this.requests.becameIdle()
  }

  /** Whether the client is waiting for nothing and has said nothing. */
  get isIdle(): boolean {
    return (
      this.started &&
      !this.skipping &&
      this.queue.every(({ hidden }) => hidden) &&
      !this.#unsynced &&
      !this.#ending &&
      this.#opaqueReason === undefined &&
      this.requests.isIdle
    )
  }

  #lookIdle(ofClient = false): void {
    if (this.isIdle) this.#idle.begin(ofClient)
  }

  useIdle(withReady: boolean, ofClient: boolean): boolean {
    return this.#idle.use(withReady, ofClient)
  }

  bareEvent(): PostgresEvent {
    const { connection, transaction } = this
    return {
      connection,
      transaction,
      via: 'none',
      sql: undefined,
      only: true,
      undivided: true,
      maxRows: 0,
      number: this.nextNumber(),
    }
  }
}

const NONE: readonly InstalledFault[] = []
