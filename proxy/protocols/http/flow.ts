// One direction of an HTTP connection: walks over its messages, lets faults decide on them, and passes them on.
//
// Bytes that nobody disturbs pass as they came, as much of a chunk at once as possible. A message that a fault looks at
// is taken apart: its head is decided on while everything behind it waits, its body goes raw or through stages.
import type { TimerHandle } from '../../clock.ts'
import type { Direction, StageContext } from '../../faults/fault.ts'
import type { HttpRule, HttpVerdict } from '../../faults/http/http-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { MessageInput, MessageOutput, SourceInput } from '../protocol.ts'
import { Decision, describe, factsOf, type DecisionHost } from './decision.ts'
import { Delivery, type BodyMode, type DeliveryEvents } from './delivery.ts'
import type { Exchange } from './exchange.ts'
import { HttpFramer, Piece } from './framer.ts'
import { HttpHead } from './head.ts'
import { Peek } from './peek.ts'
import { walkLater, walkNow } from './walk-later.ts'

/** While a message waits, this much behind it is taken in before the source is paused. */
const MAX_PENDING_BYTES = 65_536

/** What a flow needs of the session. */
export interface FlowHost extends DecisionHost {
  setTimer(callback: () => void, delayMs: number): TimerHandle
  clearTimer(timer: TimerHandle): void
  stageContext(fault: InstalledFault, flow: HttpFlow, detail: InjectionDetail): StageContext
  opaque(flow: HttpFlow, reason: string): void
  /** True while no fault can act on any message of the connection. */
  readonly quiet: boolean
}

/** Why nothing of this direction goes on for now. */
type Wait =
  | { readonly for: 'time'; readonly fault: InstalledFault; readonly timer: TimerHandle }
  | { readonly for: 'removal'; readonly fault: InstalledFault }
  | { readonly for: 'content'; readonly peek: Peek; readonly limit: number }
  | { readonly for: 'head' | 'body' | 'tunnel' | 'backlog' }

export abstract class HttpFlow implements SourceInput, DeliveryEvents {
  readonly direction: Direction
  readonly framer: HttpFramer
  protected readonly output: MessageOutput
  protected readonly host: FlowHost
  #mode: BodyMode = 'raw'
  /** Where everything goes from now on: behind an upgrade, or when it can't be understood. */
  #through: MessageInput | MessageOutput | undefined
  #dead = false
  /** The chunk that is walked over has been passed on already. */
  #walking = false
  #wait: Wait | undefined
  /** What came behind the message that waits, copied. */
  #pending: Buffer[] = []
  #pendingBytes = 0
  #pendingEnd = false
  #draining = false
  /** The current message's head has come. */
  #inBody = false
  /** A part of the head has come; `withheld` if it has not been passed on. */
  #headPart: 'none' | 'passed' | 'withheld' = 'none'
  /** The message that faults decide on. */
  #decision: Decision | undefined
  /** What a wait for content has found; kept until the message goes on. */
  #peeked: Extract<Wait, { for: 'content' }> | undefined
  #throughLater: MessageInput | MessageOutput | undefined
  /** Of the message that is on its way, for faults that join it. */
  #rawHead: string | undefined
  readonly #delivery: Delivery

  constructor(direction: Direction, output: MessageOutput, host: FlowHost) {
    this.direction = direction
    this.output = output
    this.host = host
    this.#delivery = new Delivery(output, this)
    this.framer = new HttpFramer(direction === 'upstream' ? 'request' : 'response')
  }

  // ---- for the direction's own kind of message -------------------------------------------------------------------

  /** Called for each head. Returns the exchange it belongs to if faults may look at it. */
  protected abstract headArrived(): Exchange | undefined
  /** Called in place of both for one that came as a chunk of its own and that no fault looks at. */
  protected abstract wholeMessage(chunk: Buffer): void
  /** Called for each end of a message. */
  protected abstract messageEnded(): void
  /** Takes an answer of the proxy's own. */
  protected abstract answered(exchange: Exchange, verdict: Extract<HttpVerdict, { kind: 'answer' }>): void
  /** Requests whose answers are not complete, before this one. */
  protected abstract outstanding(exchange: Exchange): number
  /** Called when the end of the source has been passed on. */
  protected sourceEnded(): void {}
  /** A body is looked at before the request has gone on. */
  protected expectsBody(_exchange: Exchange): void {}

  // ---- state -----------------------------------------------------------------------------------------------------

  get heldBytes(): number {
    const through = this.#through
    const behind = through && 'heldBytes' in through ? through.heldBytes : 0
    return this.#pendingBytes + this.#delivery.heldBytes + behind
  }

  get full(): boolean {
    if (this.#through) return 'heldBytes' in this.#through && this.#through.full
    if (this.#delivery.full) return true
    // A look at content ends by itself.
    return this.#wait !== undefined && this.#wait.for !== 'content' && this.#pendingBytes >= MAX_PENDING_BYTES
  }

  /** Between messages, with nothing waiting. */
  get idle(): boolean {
    return this.framer.atStart && this.#wait === undefined && this.#headPart === 'none'
  }

  /** Nothing is understood any more: everything goes on as it comes. */
  protected get passesThrough(): boolean {
    return this.#through !== undefined
  }

  /** Of the message that comes, no byte has been passed on. */
  get nothingPassed(): boolean {
    return !this.#inBody && this.#headPart !== 'passed'
  }

  get waitsFor(): Wait['for'] | undefined {
    return this.#wait?.for
  }

  // ---- the source ------------------------------------------------------------------------------------------------

  /** While no fault can act, bytes go first and are understood later. */
  letPass(chunk: Buffer): boolean {
    if (!this.host.quiet || this.#mode !== 'raw' || this.#wait || this.#through || this.#dead) return false
    walkLater(this, chunk)
    return true
  }

  /** Understands a chunk that has been passed on. */
  walk(chunk: Buffer): void {
    if (this.#through || this.#dead) return
    this.#walking = true
    if (this.framer.skim(chunk)) this.wholeMessage(chunk)
    else this.#process(chunk)
    this.#walking = false
  }

  protected get walking(): boolean {
    return this.#walking
  }

  write(chunk: Buffer): void {
    walkNow()
    if (this.#through) this.#through.write(chunk)
    else if (this.#dead) return
    else if (this.#wait) {
      this.#keep(Buffer.from(chunk))
      this.#look()
    } else this.#process(chunk)
  }

  end(): void {
    walkNow()
    if (this.#through) return this.#through.end()
    if (this.#dead) return
    this.#pendingEnd = true
    if (this.#wait?.for === 'content') {
      this.#wait.peek.finish()
      this.#look()
    } else if (this.#wait?.for === 'tunnel' && this.#pendingBytes === 0) this.#passEnd()
    else if (!this.#wait) this.#finish()
  }

  close(): void {
    this.output.close()
  }

  /** RST is no message: it ends what is on its way, as on a real network. */
  reset(): void {
    this.dispose()
    this.output.reset()
  }

  dispose(): void {
    this.#dead = true
    this.#cancelWait()
    this.#delivery.dispose()
    this.#pending = []
    this.#pendingBytes = 0
  }

  // ---- walking over messages -------------------------------------------------------------------------------------

  #process(chunk: Buffer): void {
    const { framer } = this
    let at = 0
    /** Where the bytes begin that pass as they are and have not been written yet. */
    let from = 0
    for (;;) {
      const to = framer.next(chunk, at)
      switch (framer.piece) {
        case Piece.none:
          this.#passRange(chunk, from, chunk.length)
          // The chunk's memory is about to be used again.
          if (!framer.atStart && this.#headPart === 'none') this.#rawHead ??= framer.headText
          return
        case Piece.skipped:
          break
        case Piece.headPart:
          if (this.#headPart === 'none') this.#headPart = this.#interested ? 'withheld' : 'passed'
          if (this.#headPart === 'withheld') {
            this.#passRange(chunk, from, at)
            from = to
          }
          break
        case Piece.head: {
          // The request's head takes what came before it with it, unless a fault looks at it.
          const part = this.#headPart
          this.#headPart = 'none'
          this.#inBody = true
          const exchange = this.headArrived()
          const decision = exchange && part !== 'passed' && this.#interested ? this.#examine(exchange) : undefined
          if (decision || part === 'withheld' || this.#mode === 'drop') {
            this.#passRange(chunk, from, at)
            from = to
            if (decision) this.#take(decision)
            else if (this.#mode === 'raw') this.#delivery.pass(framer.head)
          }
          break
        }
        case Piece.end:
          this.#passRange(chunk, from, at)
          from = at
          this.#ended()
          break
        case Piece.opaque:
          this.#passRange(chunk, from, at)
          this.host.opaque(this, framer.reason)
          // The session decides: through, or the end of the connection.
          if (at < chunk.length && !this.#walking) this.write(chunk.subarray(at))
          return
        default:
          if (this.#mode !== 'raw') {
            this.#passRange(chunk, from, at)
            if (this.#mode === 'staged') this.#feedStages(framer.piece, chunk.subarray(at, to))
            from = to
          }
      }
      at = to
      if (this.#dead || (this.#through && this.#walking)) return
      if ((this.#through || this.#wait) && !this.#walking) {
        this.#passRange(chunk, from, at)
        if (this.#through) {
          if (at < chunk.length) this.#through.write(chunk.subarray(at))
        } else {
          if (at < chunk.length) this.#keep(Buffer.from(chunk.subarray(at)), true)
          this.#look()
        }
        return
      }
    }
  }

  #passRange(chunk: Buffer, from: number, to: number): void {
    if (to > from && !this.#walking)
      this.#delivery.pass(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
  }

  get #interested(): boolean {
    return this.host.rules.length > 0
  }

  #feedStages(piece: Piece, bytes: Buffer): void {
    if (piece === Piece.data) this.#delivery.content(bytes)
    else if (piece === Piece.last) this.#delivery.trailers(bytes)
  }

  #ended(): void {
    if (this.#mode !== 'staged') return this.#complete()
    this.#wait = { for: 'body' }
    this.#delivery.end() // bodyDone() may come at once, or much later
  }

  #complete(): void {
    this.#mode = 'raw'
    this.#inBody = false
    this.#rawHead = undefined
    const copy = this.#delivery.complete()
    if (copy) this.repeat(copy)
    this.messageEnded()
    if (this.#throughLater && !this.#through) this.passThrough(this.#throughLater, true)
  }

  /** A message that was to be sent twice is complete. */
  protected repeat(_bytes: Buffer): void {}

  #finish(): void {
    if (this.#headPart === 'withheld') this.output.write(this.framer.pendingHead)
    this.#headPart = 'none'
    if (this.framer.finish()) this.#ended()
    else this.#delivery.cutOff() // the body ends too early
    if (this.#pendingEnd && !this.#wait && !this.#dead) this.#passEnd()
  }

  #passEnd(): void {
    this.#pendingEnd = false
    this.output.end()
    this.sourceEnded()
  }

  // ---- waiting ---------------------------------------------------------------------------------------------------

  #keep(chunk: Buffer, first = false): void {
    if (first) this.#pending.unshift(chunk)
    else this.#pending.push(chunk)
    this.#pendingBytes += chunk.length
    if (this.#wait?.for === 'content') this.#wait.peek.feed(chunk)
  }

  /** Goes on if the content that has come is enough to decide. */
  #look(): void {
    if (this.#wait?.for === 'content' && this.#wait.peek.done) this.resume()
  }

  protected waitFor(reason: 'tunnel' | 'backlog'): void {
    this.#wait ??= { for: reason }
  }

  /** What was waited for is there: goes on with the message, then with what came behind it. */
  resume(): void {
    const wait = this.#wait
    this.#wait = undefined
    if (!wait || this.#dead) return
    if (wait.for === 'content') this.#peeked = wait
    if (this.#decision) this.#decide(this.#decision)
    this.#drain()
  }

  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    while (!this.#wait && !this.#dead) {
      const chunk = this.#pending.shift()
      if (!chunk) break
      this.#pendingBytes -= chunk.length
      if (this.#through) this.#through.write(chunk)
      else this.#process(chunk)
    }
    this.#draining = false
    if (this.#pendingEnd && !this.#wait && !this.#dead) {
      if (this.#through) {
        this.#pendingEnd = false
        this.#through.end()
      } else this.#finish()
    }
    this.output.updateFlow()
  }

  #cancelWait(): void {
    if (this.#wait?.for === 'time') this.host.clearTimer(this.#wait.timer)
    this.#wait = undefined
  }

  // ---- deciding --------------------------------------------------------------------------------------------------

  #examine(exchange: Exchange): Decision | undefined {
    return Decision.of(this.host, this.direction, exchange, this.framer, () => this.outstanding(exchange))
  }

  #take(decision: Decision): void {
    this.#decision = decision
    this.#peeked = undefined
    this.#decide(decision)
  }

  /** Comes back after each wait. */
  #decide(decision: Decision): void {
    const step = decision.next(
      (limit) => this.#content(decision, limit),
      (fault, detail) => this.host.stageContext(fault, this, detail),
    )
    switch (step.kind) {
      case 'content':
        return // waits already
      case 'delay': {
        const timer = this.host.setTimer(() => this.resume(), step.delayMs)
        this.#wait = { for: 'time', fault: step.fault, timer }
        return
      }
      case 'hold':
        this.#wait = { for: 'removal', fault: step.fault }
        return
      case 'answer':
        this.#decision = undefined
        this.#mode = 'drop'
        return this.answered(decision.exchange, step)
      case 'die':
        if (step.bytes) this.output.write(step.bytes)
        return this.#die(step.how)
      case 'goOn':
        return this.#goOn(decision)
    }
  }

  /** What has come of the body, at least `limit` if there is so much; undefined = not yet, waits. */
  #content(decision: Decision, limit: number): Peek | undefined {
    if (this.#peeked && this.#peeked.limit >= limit) return this.#peeked.peek
    const peek = new Peek(this.framer, limit)
    for (const chunk of this.#pending) peek.feed(chunk)
    if (this.#pendingEnd) peek.finish()
    const wait = { for: 'content', peek, limit } as const
    if (peek.done) {
      this.#peeked = wait
      return peek
    }
    this.#wait = wait
    this.expectsBody(decision.exchange)
    return undefined
  }

  /** The end of the connection goes into the output, behind what has been passed on. */
  #die(how: 'close' | 'reset'): void {
    this.#decision = undefined
    this.dispose()
    this.output[how]()
  }

  // ---- passing a decided message on ------------------------------------------------------------------------------

  #goOn(decision: Decision): void {
    this.#decision = undefined
    this.#peeked = undefined
    this.#wait = { for: 'head' }
    this.#delivery.begin(decision)
  }

  headDone(mode: BodyMode, replaced: boolean): void {
    this.#mode = mode
    // What came of the old body is dropped until its end; the new one goes out first.
    this.#wait = replaced ? { for: 'body' } : undefined
    if (!this.#wait) this.#drain()
  }

  bodyDone(replaced: boolean): void {
    if (this.#dead || this.#through) return
    const waited = this.#wait?.for === 'body'
    if (waited) this.#wait = undefined
    if (!replaced) this.#complete()
    if (waited && !this.#wait) this.#drain()
  }

  died(how: 'close' | 'reset'): void {
    this.#die(how)
  }

  notRepeated(fault: InstalledFault, reason: string): void {
    this.host.notApplied(fault, reason)
  }

  /** Bytes have left a stage outside write(). */
  stagesReleased(): void {
    this.output.updateFlow()
  }

  // ---- changes while messages are on their way -------------------------------------------------------------------

  removeFault(fault: InstalledFault): void {
    const wait = this.#wait
    this.#delivery.removeFault(fault)
    if (wait && (wait.for === 'time' || wait.for === 'removal') && wait.fault === fault) {
      if (wait.for === 'time') this.host.clearTimer(wait.timer)
      this.resume()
    } else this.output.updateFlow()
  }

  /** Lets body stages take hold of an answer that is on its way raw; nothing if there is none, or not yet. */
  join(fault: InstalledFault, exchange: Exchange): void {
    const { framer } = this
    const head = this.#rawHead
    const staged = this.#mode === 'staged' && this.#delivery.staged
    const betweenChunks = framer.body === 'chunked' && framer.betweenChunks
    const joinable = staged || (this.#mode === 'raw' && !this.#wait && (framer.body === 'close' || betweenChunks))
    if (!head || framer.atStart || this.#through || this.#dead || !joinable) return
    const parsed = new HttpHead(head)
    const rule = fault.rule as HttpRule
    if (!rule.match.request(exchange.request) || !rule.match.message(parsed) || rule.match.body) return
    const facts = factsOf('response', exchange, parsed, framer, 0)
    if (rule.applies?.(facts) === false || !this.host.selects(fault, this.direction, exchange)) return
    const verdict = this.host.decide(fault, this.direction, facts)
    if (verdict.kind !== 'stages' || !verdict.body) return
    if (verdict.resized && framer.body === 'length') {
      return this.host.notApplied(fault, 'the Content-Length of the answer has been sent')
    }
    this.#mode = 'staged'
    const stage = verdict.body(this.host.stageContext(fault, this, describe(facts)))
    this.#delivery.join(fault, stage, framer.body === 'chunked')
  }

  // ---- the end of understanding ----------------------------------------------------------------------------------

  /**
   * Everything goes to `through` from now on, what waits first.
   *
   * @param atOnce also in the middle of a message that faults have taken apart; else behind it
   */
  passThrough(through: MessageInput | MessageOutput, atOnce: boolean): void {
    if (this.#through || this.#dead) return
    if (!atOnce && (this.#decision || this.#delivery.busy)) {
      this.#throughLater = through
      return
    }
    const head = this.#decision?.head.toBuffer()
    this.#decision = undefined
    this.#cancelWait()
    if (this.#headPart === 'withheld') this.output.write(this.framer.pendingHead)
    if (head) this.output.write(head)
    this.#through = through
    this.#delivery.cutOff()
    this.#drain()
  }

  /** Nothing that comes is passed on any more. */
  swallowAll(): void {
    this.dispose()
  }

  /** The current message is dropped until its end. */
  protected dropMessage(): void {
    this.#mode = 'drop'
  }
}
