// What the client says: keeps track of what the server will answer to, and lets faults decide on statements.
import type { Direction } from '../../faults/fault.ts'
import type { PostgresEvent, PostgresMoment } from '../../faults/postgres/postgres-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { MessageOutput } from '../protocol.ts'
import type { Candidate } from './decision.ts'
import { Entrance, type EntranceHost } from './entrance.ts'
import { endsWithReady, plain, type Asked, type Firing } from './expected.ts'
import { Fate, MessageFlow } from './message-flow.ts'
import { PreparedStatements, parametersOf, type Portal, type Prepared } from './prepared.ts'
import { MAX_OUTSTANDING, type PostgresCore } from './core.ts'
import { PLAIN_KINDS, quickKind } from './quick-kind.ts'
import { loadSqlParser, sqlOf, sqlParserReady, type StatementKind } from './sql.ts'
import { MAX_STARTUP_BYTES } from './startup.ts'
import { after, progress, StatementWork, type Work, type WorkHost } from './statement-work.ts'
import type { Swap } from './swap.ts'
import { TLS_HANDSHAKE } from './tls.ts'
import { copyFail, Frontend, MessageReader, STATEMENT } from './wire.ts'

/** Longer messages pass without being looked at. */
const MAX_LOOKED_AT_BYTES = 256 * 1024

export class RequestFlow extends MessageFlow implements WorkHost, EntranceHost {
  override readonly direction: Direction = 'upstream'
  readonly #session: PostgresCore
  readonly #prepared = new PreparedStatements()
  readonly #entrance: Entrance
  /** The statement that waits. */
  #work: StatementWork | undefined
  /** To be sent before the client's Sync. */
  #beforeSync: Swap | undefined
  /** COPY FROM STDIN is to fail after so many bytes; what the client sends of it then is dropped. */
  #copyFailure: { readonly firing: Firing; bytes: number } | undefined
  #copyDropped = false
  #withoutParser = false
  /** What comes waits until all answers have come. */
  #serializing = false

  constructor(output: MessageOutput, session: PostgresCore) {
    super(output)
    this.#session = session
    this.shape = 'startup'
    this.#entrance = new Entrance(session, this)
  }

  override get full(): boolean {
    return super.full || this.#session.queue.length >= MAX_OUTSTANDING
  }

  get serializing(): boolean {
    return this.#serializing
  }

  /** The client has said nothing that has not gone up. */
  get isIdle(): boolean {
    return this.shape === 'typed' && !this.#work && (this.betweenMessages || this.#serializing)
  }

  protected override flowChanged(): void {
    this.#session.encryption.flowChanged('upstream')
  }

  protected override nonsense(reason: string): void {
    this.#session.opaque(reason, 'upstream')
  }

  protected override ended(): void {
    this.passEnd()
  }

  override dispose(): void {
    this.#work?.dispose()
    this.#work = undefined
    super.dispose()
  }

  entered(): void {
    this.shape = 'typed'
  }

  transactionEnded(): void {
    this.#prepared.transactionEnded()
  }

  // ---- messages --------------------------------------------------------------------------------------------------

  protected override wants(type: number, size: number): boolean {
    if (this.shape === 'startup') return size <= MAX_STARTUP_BYTES
    switch (type) {
      case Frontend.query:
      case Frontend.parse:
      case Frontend.bind:
      case Frontend.execute:
      case Frontend.describe:
      case Frontend.close:
      case Frontend.functionCall:
        return size <= MAX_LOOKED_AT_BYTES
      default:
        return false
    }
  }

  protected override header(type: number, size: number): Fate {
    const session = this.#session
    if (this.shape === 'startup') {
      if (size >>> 24 === TLS_HANDSHAKE) session.encryption.beganTls()
      else this.nonsense('a first message of an impossible length')
      return Fate.pass
    }
    session.notIdle()
    switch (type) {
      case Frontend.sync:
        return this.#sync()
      case Frontend.copyData:
        return this.#copyData(size)
      case Frontend.copyDone:
      case Frontend.copyFail:
        return this.#copyEnd()
      case Frontend.query:
      case Frontend.functionCall:
        this.#tooLong(type === Frontend.query ? 'query' : 'function')
        break
      case Frontend.parse:
        this.#prepared.forget('statement')
        this.#tooLong('parse')
        break
      case Frontend.bind:
        this.#prepared.forget('portal')
        this.#tooLong('bind')
        break
      default:
    }
    return Fate.pass
  }

  #tooLong(asked: Asked): void {
    this.#session.expect(plain(asked))
    for (const fault of this.#session.of('statement')) {
      if (this.#session.concerns(fault)) {
        this.#session.notApplied(fault, `a message longer than ${MAX_LOOKED_AT_BYTES} bytes is not looked at`)
      }
    }
  }

  protected override message(type: number, message: Buffer): Fate {
    const session = this.#session
    if (this.shape === 'startup') return this.#entrance.message(message)
    session.notIdle()
    // A client that has heard of a failure need not end its data; and data belongs to what was executed last.
    this.#copyDropped = false
    this.#copyFailure = undefined
    switch (type) {
      case Frontend.query:
        return this.#query(message)
      case Frontend.execute:
        return this.#execute(message)
      case Frontend.parse:
        return this.#parse(message)
      case Frontend.bind:
        return this.#bind(message)
      case Frontend.describe:
        return this.#describe(message)
      case Frontend.close:
        this.#prepared.close(message)
        return this.#pass('close')
      default:
        return this.#functionCall(message)
    }
  }

  #pass(asked: Asked): Fate {
    this.#session.expect(plain(asked))
    return Fate.pass
  }

  // ---- statements ------------------------------------------------------------------------------------------------

  /** While the parser of SQL is loaded, which is once in a process, statements wait. */
  #parserLoads(): boolean {
    if (sqlParserReady() || this.#withoutParser) return false
    this.hold()
    loadSqlParser()
      .catch(() => (this.#withoutParser = true)) // then texts count as not understood
      .finally(() => this.resume())
    return true
  }

  #query(message: Buffer): Fate {
    const session = this.#session
    if (session.of('statement').length === 0 || !this.#asked(quickKind(message))) {
      session.expect(plain('query'))
      this.sent('query')
      return Fate.pass
    }
    if (this.#parserLoads()) return Fate.again
    const text = new MessageReader(message).text()
    const whole = sqlOf(text.text)
    const { statements } = whole
    let { transaction } = session
    const candidates: Candidate[] = []
    const lastDivision = statements.findLastIndex(({ kind }) => DIVIDES.has(kind))
    for (const [index, sql] of statements.entries()) {
      const event: PostgresEvent = {
        connection: session.connection,
        transaction,
        via: 'simple',
        sql,
        only: statements.length === 1,
        undivided: index >= lastDivision,
        maxRows: 0,
        number: session.nextNumber(),
      }
      candidates.push({ event, whole, prepared: undefined, parameters: NO_PARAMETERS })
      transaction = after(sql.kind, transaction)
    }
    return this.#decide('statement', { asked: 'query', message, candidates, text, statements })
  }

  /** False for a statement that no fault asks about and that leaves the transaction as it is. */
  #asked(kind: StatementKind | undefined): boolean {
    return kind === undefined || !PLAIN_KINDS.has(kind) || this.#session.asksAbout(kind)
  }

  #execute(message: Buffer): Fate {
    const session = this.#session
    if (session.of('statement').length === 0) return this.#pass('execute')
    if (this.#parserLoads()) return Fate.again
    const reader = new MessageReader(message)
    const name = reader.string()
    const portal = this.#prepared.portal(name)
    const text = portal?.statement?.text
    if (text && !this.#asked(sqlOf(text.text).statements[0]?.kind)) return this.#pass('execute')
    const candidates = [this.#candidate(portal, reader.int32())]
    return this.#decide('statement', { asked: 'execute', message, candidates, portal: name })
  }

  #candidate(portal: Portal | undefined, maxRows: number): Candidate {
    return {
      ...this.#extended(portal?.statement, maxRows),
      get parameters() {
        return parametersOf(portal?.bind)
      },
    }
  }

  #extended(statement: Prepared | undefined, maxRows = 0): Omit<Candidate, 'parameters'> {
    const whole = statement?.text && sqlOf(statement.text.text)
    const event: PostgresEvent = { ...this.#session.bareEvent(), via: 'extended', sql: whole?.statements[0], maxRows }
    return { event, whole, prepared: statement?.name }
  }

  #parse(message: Buffer): Fate {
    const prepared = this.#prepared.parse(message)
    if (this.#session.of('parse').length === 0) return this.#pass('parse')
    if (this.#parserLoads()) return Fate.again
    const candidates = [{ ...this.#extended(prepared), parameters: NO_PARAMETERS }]
    return this.#decide('parse', { asked: 'parse', message, candidates })
  }

  #bind(message: Buffer): Fate {
    const portal = this.#prepared.bind(message)
    if (this.#session.of('bind').length === 0) return this.#pass('bind')
    if (this.#parserLoads()) return Fate.again
    return this.#decide('bind', { asked: 'bind', message, candidates: [this.#candidate(portal, 0)] })
  }

  #describe(message: Buffer): Fate {
    if (this.#session.of('describe').length === 0) return this.#pass('describe')
    if (this.#parserLoads()) return Fate.again
    const reader = new MessageReader(message)
    const ofStatement = reader.byte() === STATEMENT
    const name = reader.string()
    const statement = ofStatement ? this.#prepared.statement(name) : this.#prepared.portal(name)?.statement
    const candidates = [{ ...this.#extended(statement), parameters: NO_PARAMETERS }]
    return this.#decide('describe', { asked: 'describe', message, candidates })
  }

  #functionCall(message: Buffer): Fate {
    if (this.#session.of('statement').length === 0) return this.#pass('function')
    const event: PostgresEvent = { ...this.#session.bareEvent(), via: 'function' }
    const candidates = [{ event, whole: undefined, prepared: undefined, parameters: NO_PARAMETERS }]
    return this.#decide('statement', { asked: 'function', message, candidates })
  }

  // ---- deciding --------------------------------------------------------------------------------------------------

  #decide(moment: PostgresMoment, work: Work): Fate {
    const begun = StatementWork.begin(this.#session, this, moment, work, () => this.flush())
    if (begun) {
      if (!begun.done) this.#work = begun
      return Fate.taken
    }
    progress(this.#session, work.candidates)
    this.#session.expect(plain(work.asked))
    this.sent(work.asked)
    return Fate.pass
  }

  /** The fault that a statement waits for goes on without it. */
  removeFault(fault: InstalledFault): void {
    this.#work?.removeFault(fault)
  }

  /** The statement that waits goes up as it came. */
  release(): void {
    this.#work?.release()
  }

  /** A CancelRequest has come. True if a statement was held here, which is now made to fail as the server would. */
  cancel(): boolean {
    return this.#work?.cancel() ?? false
  }

  send(message: Buffer): void {
    this.output.write(message)
  }

  failCopy(firing: Firing, bytes: number): void {
    this.#copyFailure = { firing, bytes }
  }

  beforeSync(swap: Swap): void {
    this.#beforeSync ??= swap
  }

  /** Where faults need a moment between two, a client that does not wait for answers is made to. */
  sent(asked: Asked): void {
    // What the server skips it does not answer.
    if (!endsWithReady(asked) || this.#session.skipping || !this.#session.serializes) return
    this.#serializing = true
    this.hold()
  }

  override resume(): void {
    if (this.#work?.done) this.#work = undefined
    if (!this.#work && !this.#serializing) super.resume()
  }

  // ---- between statements ----------------------------------------------------------------------------------------

  #sync(): Fate {
    // The server takes no notice of it.
    if (this.#session.copyIn) return Fate.pass
    if (this.#beforeSync) {
      this.flush()
      for (const message of this.#beforeSync.send) this.output.write(message)
      for (const expected of this.#beforeSync.expect) this.#session.expect(expected)
      this.#beforeSync = undefined
    }
    this.#session.expect(plain('sync'))
    this.sent('sync')
    return Fate.pass
  }

  becameIdle(): void {
    if (!this.#serializing) return
    this.#serializing = false
    this.resume()
  }

  #copyData(size: number): Fate {
    if (this.#copyDropped) return Fate.drop
    const failure = this.#copyFailure
    // Unless its statement has failed by itself.
    if (!failure || !this.#session.firings.has(failure.firing.nonce)) return Fate.pass
    if ((failure.bytes -= size - 5) >= 0) return Fate.pass
    this.flush()
    this.output.write(copyFail(failure.firing.nonce))
    this.#copyFailure = undefined
    this.#copyDropped = true
    return Fate.drop
  }

  #copyEnd(): Fate {
    const dropped = this.#copyDropped
    this.#copyFailure = undefined
    this.#copyDropped = false
    const session = this.#session
    if (session.copyIn) session.copyIn = false
    else if (session.queue.some(({ asked }) => asked === 'execute' || asked === 'query')) {
      session.expect(plain('copyEnd'))
    }
    const [first] = session.queue
    if (first) this.sent(first.asked)
    return dropped ? Fate.drop : Fate.pass
  }
}

/** What makes two transactions of one simple query. */
const DIVIDES: ReadonlySet<StatementKind> = new Set(['begin', 'commit', 'rollback'])

const NO_PARAMETERS: readonly (Buffer | null)[] = []
