// A message that faults decide on: asks them, waits where they say so, and sends what is to be sent in the end.
import type { TimerHandle } from '../../clock.ts'
import type { PostgresEvent, PostgresMoment, TransactionState } from '../../faults/postgres/postgres-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import { Decision, describe, type Candidate, type Ending } from './decision.ts'
import { defaultError } from './default-errors.ts'
import { plain, special, type Asked, type Expected, type Firing, type Gate } from './expected.ts'
import { keyOf, type PostgresCore } from './core.ts'
import type { SqlStatement, StatementKind } from './sql.ts'
import {
  newNonce,
  newNonceOid,
  Provoked,
  runHidden,
  swapBind,
  swapDescribe,
  swapExecute,
  swapFunctionCall,
  swapParse,
  swapQuery,
  type Swap,
} from './swap.ts'
import { query, SYNC, type Text } from './wire.ts'

/** What is decided on. */
export interface Work {
  readonly asked: Asked
  /** Nobody changes it. */
  readonly message: Buffer
  readonly candidates: readonly Candidate[]
  /** Of a simple query. */
  readonly text?: Text
  readonly statements?: readonly SqlStatement[]
  /** Of an Execute. */
  readonly portal?: string
}

/** The flow of the client's messages, which stands still while a message waits. */
export interface WorkHost {
  readonly dead: boolean
  /** To the server. */
  send(message: Buffer): void
  hold(): void
  resume(): void
  /** A message has gone up, or what takes its place. */
  sent(asked: Asked): void
  /** COPY FROM STDIN is to fail after so many bytes. */
  failCopy(firing: Firing, bytes: number): void
  /** To be sent before the client's next Sync. */
  beforeSync(swap: Swap): void
}

export class StatementWork {
  readonly #session: PostgresCore
  readonly #host: WorkHost
  readonly #decision: Decision
  readonly #work: Work
  #timer: TimerHandle
  /** The fault for which it waits. */
  #delayedBy: InstalledFault | undefined
  #done = false

  private constructor(session: PostgresCore, host: WorkHost, decision: Decision, work: Work) {
    this.#session = session
    this.#host = host
    this.#decision = decision
    this.#work = work
  }

  /**
   * Asks the faults about a message. Returns undefined if it is to pass as it came.
   *
   * @param work its message is copied if it is needed later
   */
  static begin(
    session: PostgresCore,
    host: WorkHost,
    moment: PostgresMoment,
    work: Work,
    flush: () => void,
  ): StatementWork | undefined {
    // What the server will skip is nobody's to decide on.
    if (session.skipping) return undefined
    const decision = new Decision(session, moment, work.candidates)
    const delay = decision.next()
    if (!delay && !decision.ending && !decision.serverDelay && decision.gates.length === 0) return undefined
    flush()
    const begun = new StatementWork(session, host, decision, { ...work, message: Buffer.from(work.message) })
    if (delay) begun.#wait(delay.fault, delay.delayMs)
    else begun.#carryOut()
    return begun
  }

  /** Everything has been sent. */
  get done(): boolean {
    return this.#done
  }

  #wait(fault: InstalledFault, delayMs: number): void {
    this.#host.hold()
    this.#delayedBy = fault
    this.#timer = this.#session.host.clock.setTimer(() => this.#goOn(), delayMs)
  }

  #goOn(): void {
    this.#stopWaiting()
    if (this.#host.dead) return
    const delay = this.#decision.next()
    if (delay) return this.#wait(delay.fault, delay.delayMs)
    this.#carryOut()
    if (this.#done) this.#host.resume()
  }

  #stopWaiting(): void {
    if (this.#timer !== undefined) this.#session.host.clock.clearTimer(this.#timer)
    this.#timer = undefined
    this.#delayedBy = undefined
  }

  dispose(): void {
    this.#stopWaiting()
  }

  /** What waits for this fault goes on without it. */
  removeFault(fault: InstalledFault): void {
    if (this.#delayedBy === fault) this.#goOn()
  }

  /** It goes up as it came, whatever has been decided. */
  release(): void {
    if (this.#done) return
    this.#stopWaiting()
    this.#done = true
    this.#host.send(this.#work.message)
  }

  /** A CancelRequest has come. True if a statement waits here, which then fails as it would in the server. */
  cancel(): boolean {
    const { asked, candidates } = this.#work
    const [candidate] = candidates
    if (!this.#delayedBy || !candidate || (asked !== 'query' && asked !== 'execute')) return false
    this.#stopWaiting()
    this.#done = true
    const verdict = { kind: 'fail', error: defaultError('57014'), point: { at: 'instead' } } as const
    this.#fail({ verdict, candidate, index: 0 }, undefined)
    this.#host.sent(asked)
    this.#host.resume()
    return true
  }

  // ---- all is decided --------------------------------------------------------------------------------------------

  #carryOut(): void {
    const { asked, message, candidates } = this.#work
    const { serverDelay, ending, gates } = this.#decision
    if (serverDelay) {
      this.#decision.serverDelay = undefined
      if (asked === 'query') return this.#sleepFirst(serverDelay.delayMs)
      this.#send(runHidden(newNonce(), sleep(serverDelay.delayMs)))
    }
    this.#done = true
    if (ending) this.#end(ending)
    else {
      progress(this.#session, candidates)
      this.#send({ send: [message], expect: [expected(asked, gates)] })
    }
    if (!this.#host.dead) this.#host.sent(asked)
  }

  /** A simple query waits until the server has slept: only then is it known whether it may run. */
  #sleepFirst(delayMs: number): void {
    const host = this.#host
    host.hold()
    host.send(query(sleep(delayMs)))
    const done = (failed: boolean): void => {
      if (host.dead) return
      if (failed) this.#done = true
      else this.#carryOut()
      if (this.#done) host.resume()
    }
    this.#session.expect(special('query', { hidden: true, passErrors: true, done }))
  }

  #send({ send, expect }: Swap): void {
    for (const message of send) this.#host.send(message)
    for (const answer of expect) this.#session.expect(answer)
  }

  #end(ending: Ending): void {
    const { fault, verdict, candidate } = ending
    const { asked, message } = this.#work
    const session = this.#session
    const detail = describe(candidate.event)
    switch (verdict.kind) {
      case 'reset':
        session.record(fault, 'reset', detail)
        return session.resetBoth(false)
      case 'end':
        if (verdict.send) {
          this.#host.send(message)
          // Without it the server waits for more and then undoes everything.
          if (asked === 'execute') this.#host.send(SYNC)
        }
        session.record(fault, 'terminate', { ...detail, code: verdict.error.code, sent: String(verdict.send) })
        return session.endWith(verdict.error, verdict.notice)
      case 'fail':
        return this.#fail({ ...ending, verdict }, fault)
    }
  }

  #fail(
    { verdict, candidate, index }: Pick<Ending, 'candidate' | 'index'> & { verdict: FailVerdict },
    fault: InstalledFault | undefined,
  ): void {
    const session = this.#session
    const { event } = candidate
    const { point, error } = verdict
    const { asked, message, portal = '', text, statements, candidates } = this.#work
    const { gates } = this.#decision
    const firing = (provokes: string, nonce = newNonce()): Firing => ({
      fault,
      nonce,
      provokes,
      error,
      notice: verdict.notice ?? false,
      action: error.severity === 'FATAL' ? 'terminate' : 'error',
      detail: { ...describe(event), code: error.code, at: point.at },
      key: fault ? keyOf(fault, event) : '',
    })
    progress(session, candidates.slice(0, index))
    session.transaction = afterFailure(point.at === 'commit', session.transaction)
    if (point.at === 'copy') {
      const copy = firing(Provoked.query)
      this.#host.failCopy(copy, point.bytes)
      return this.#send({ send: [message], expect: [special(asked, { firing: copy, gates })] })
    }
    switch (asked) {
      case 'query': {
        const statement = statements?.[index]
        if (!text || !statement) throw new Error('a simple query without statements can not fail')
        const { from, to, kind } = statement
        const simple = { ...text, index, from, to, kind }
        return this.#send(swapQuery(simple, point, firing(Provoked.prepared), gates))
      }
      case 'execute': {
        const swap = swapExecute(message, portal, event.sql?.kind, point, firing(Provoked.cursor), gates)
        this.#send(swap)
        if (swap.atSync) this.#host.beforeSync(swap.atSync)
        return
      }
      case 'parse':
        return this.#send(swapParse(message, firing(Provoked.relation)))
      case 'bind':
        return this.#send(swapBind(firing(Provoked.prepared)))
      case 'describe':
        return this.#send(swapDescribe(message, firing))
      default:
        return this.#send(swapFunctionCall(firing(Provoked.function, String(newNonceOid()))))
    }
  }
}

type FailVerdict = Extract<Ending['verdict'], { kind: 'fail' }>

function expected(asked: Asked, gates: readonly Gate[]): Expected {
  return gates.length === 0 ? plain(asked) : special(asked, { gates })
}

function sleep(delayMs: number): string {
  return `SELECT pg_catalog.pg_sleep(${delayMs / 1000})`
}

/** The transaction's state after statements that are on their way. */
export function progress(session: PostgresCore, candidates: readonly { readonly event: PostgresEvent }[]): void {
  for (const { event } of candidates) session.transaction = after(event.sql?.kind, session.transaction)
}

export function after(kind: StatementKind | undefined, state: TransactionState): TransactionState {
  if (kind === 'begin') return state === 'idle' ? 'open' : state
  return kind === 'commit' || kind === 'rollback' ? 'idle' : state
}

function afterFailure(atCommit: boolean, state: TransactionState): TransactionState {
  return atCommit || state === 'idle' ? 'idle' : 'failed'
}
