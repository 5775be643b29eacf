// One message in the hands of faults: which are asked, what they said, and what the message is to look like after that.
import type { Direction, Stage, StageContext } from '../../faults/fault.ts'
import type { HttpMessage, HttpRule, HttpVerdict } from '../../faults/http/http-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import { codingOf, decodeBeginning, decodeContent } from './content-coding.ts'
import type { Exchange } from './exchange.ts'
import type { HttpFramer } from './framer.ts'
import { HttpHead } from './head.ts'
import type { Peek } from './peek.ts'

/** Content that a match looks at, and that a fault may replace as a whole. */
const MAX_MATCHED_BODY_BYTES = 65_536
export const MAX_EDITED_BODY_BYTES = 1024 * 1024

/** What a decision needs of the session. */
export interface DecisionHost {
  /** The faults that there are now. */
  readonly rules: readonly InstalledFault[]
  /** Counts a message that matches; true if the fault acts on it. */
  selects(fault: InstalledFault, direction: Direction, exchange: Exchange): boolean
  decide(fault: InstalledFault, direction: Direction, message: HttpMessage): HttpVerdict
  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void
  notApplied(fault: InstalledFault, reason: string): void
}

/** Makes the context of a stage that acts on a message. */
export type StageContextOf = (fault: InstalledFault, detail: InjectionDetail) => StageContext

/** What is to happen next. */
export type Step =
  | { readonly kind: 'content'; readonly limit: number }
  | { readonly kind: 'delay'; readonly fault: InstalledFault; readonly delayMs: number }
  | { readonly kind: 'hold'; readonly fault: InstalledFault }
  | Extract<HttpVerdict, { kind: 'answer' }>
  | { readonly kind: 'die'; readonly how: 'close' | 'reset'; readonly bytes?: Buffer }
  | { readonly kind: 'goOn' }

export interface MessageStage {
  readonly fault: InstalledFault
  readonly stage: Stage<unknown>
}

/** Gives what has come of the body, if it is all or as much as asked for; undefined = not yet. */
export type LookAtContent = (limit: number) => Peek | undefined

export class Decision {
  readonly exchange: Exchange
  /** As it is to be sent. */
  readonly head: HttpHead
  readonly headStages: MessageStage[] = []
  readonly bodyStages: MessageStage[] = []
  /** The request is to be sent twice, by this fault; on record once it has been. */
  duplicate: { readonly fault: InstalledFault; readonly record: () => void } | undefined
  /** With its head the message has ended, whatever body comes. */
  bodiless = false
  /** A whole body in place of the one that comes. */
  content: Buffer | undefined
  readonly #host: DecisionHost
  readonly #direction: Direction
  readonly #facts: HttpMessage
  /** What injections say of it: as it came, whatever faults make of it. */
  readonly #description: InjectionDetail
  readonly #faults: readonly InstalledFault[]
  #next = 0
  readonly #rewrites: { fault: InstalledFault; verdict: Extract<HttpVerdict, { kind: 'rewrite' }> }[] = []
  #resized = false
  #unframed = false

  /** @param faults those whose matches hold as far as heads can tell */
  constructor(
    host: DecisionHost,
    direction: Direction,
    exchange: Exchange,
    facts: HttpMessage,
    faults: readonly InstalledFault[],
  ) {
    this.#host = host
    this.#direction = direction
    this.exchange = exchange
    this.#facts = facts
    this.#description = describe(facts)
    this.head = facts.head
    this.#faults = faults
  }

  /** A decision on the message whose head has just been framed; undefined if no fault's match can hold. */
  static of(
    host: DecisionHost,
    direction: Direction,
    exchange: Exchange,
    framer: HttpFramer,
    outstanding: () => number,
  ) {
    const phase = direction === 'upstream' ? 'request' : 'response'
    let faults: InstalledFault[] | undefined
    let head: HttpHead | undefined
    for (const fault of host.rules) {
      const rule = fault.rule as HttpRule
      if (rule.phase !== phase || !rule.match.request(exchange.request)) continue
      head ??= new HttpHead(framer.headText)
      if (rule.match.message(head)) (faults ??= []).push(fault)
    }
    if (!faults || !head) return undefined
    return new Decision(host, direction, exchange, factsOf(phase, exchange, head, framer, outstanding()), faults)
  }

  /** Asks one fault after the other, until something has to happen first. To be called again after that. */
  next(look: LookAtContent, contextOf: StageContextOf): Step {
    for (let fault = this.#faults[this.#next]; fault; fault = this.#faults[this.#next]) {
      if (this.#host.rules.includes(fault)) {
        const matches = this.#matchesContent(fault, look)
        if (matches === undefined) return { kind: 'content', limit: MAX_MATCHED_BODY_BYTES }
        const step = matches ? this.#ask(fault, contextOf) : undefined
        this.#next++
        if (step) return step
      } else this.#next++
    }
    if (this.#rewrites.length > 0 && !this.bodiless) {
      const peek = look(MAX_EDITED_BODY_BYTES)
      if (!peek) return { kind: 'content', limit: MAX_EDITED_BODY_BYTES }
      this.#rewrite(peek)
    }
    return { kind: 'goOn' }
  }

  /** How the body is to be written behind its stages. A body whose length may change can't have a Content-Length. */
  frameBody(): { readonly chunked: boolean; readonly closes: boolean } {
    const { body } = this.#facts
    if (this.content !== undefined) return { chunked: false, closes: false }
    const resized = this.#resized && body === 'length'
    if (!resized) return { chunked: body === 'chunked' && !this.#unframed, closes: false }
    this.head.remove('content-length')
    // HTTP/1.0 has no chunks (RFC 9112 section 7): its bodies end with the connection.
    const closes = this.exchange.minorVersion === 0
    if (!closes) this.head.set('Transfer-Encoding', 'chunked')
    return { chunked: !closes && !this.#unframed, closes }
  }

  /** Undefined = not enough has come to tell. */
  #matchesContent(fault: InstalledFault, look: LookAtContent): boolean | undefined {
    const { body } = (fault.rule as HttpRule).match
    if (!body) return true
    const peek = look(MAX_MATCHED_BODY_BYTES)
    if (!peek) return undefined
    const decoded = decodeBeginning(this.head, peek.content, MAX_MATCHED_BODY_BYTES)
    if (!decoded) this.#host.notApplied(fault, UNKNOWN_CODING)
    return decoded !== undefined && body(decoded.toString())
  }

  /** Undefined = the next fault may be asked. */
  #ask(fault: InstalledFault, contextOf: StageContextOf): Step | undefined {
    if ((fault.rule as HttpRule).applies?.(this.#facts) === false) return undefined
    if (!this.#host.selects(fault, this.#direction, this.exchange)) return undefined
    const verdict = this.#host.decide(fault, this.#direction, this.#facts)
    switch (verdict.kind) {
      case 'delay':
        if (verdict.delayMs <= 0) return undefined
        this.#record(fault, 'delay', { delayMs: verdict.delayMs })
        return { kind: 'delay', fault, delayMs: verdict.delayMs }
      case 'hold':
        this.#record(fault, 'hold')
        return { kind: 'hold', fault }
      case 'answer':
        this.#record(fault, 'answer', { status: verdict.answer.status })
        return verdict
      case 'reset':
      case 'close':
        this.#record(fault, verdict.kind)
        return { kind: 'die', how: verdict.kind }
      case 'raw':
        this.#record(fault, verdict.action)
        return { kind: 'die', how: 'close', bytes: verdict.bytes }
      default:
        this.#note(fault, verdict, contextOf)
        return undefined
    }
  }

  /** What has an effect when the message goes on. */
  #note(fault: InstalledFault, verdict: HttpVerdict, contextOf: StageContextOf): void {
    if (verdict.kind === 'edited') {
      this.bodiless ||= verdict.bodiless ?? false
      this.#record(fault, verdict.action, verdict.detail)
    } else if (verdict.kind === 'stages') {
      const context = contextOf(fault, this.#description)
      if (verdict.head) this.headStages.push({ fault, stage: verdict.head(context) })
      if (verdict.body) this.bodyStages.push({ fault, stage: verdict.body(context) })
      this.#resized ||= verdict.resized ?? false
      this.#unframed ||= verdict.unframed ?? false
    } else if (verdict.kind === 'rewrite') {
      this.#rewrites.push({ fault, verdict })
    } else if (verdict.kind === 'duplicate') {
      if (this.exchange.upgrade || this.exchange.method === 'CONNECT') {
        return this.#host.notApplied(fault, 'a request for another protocol can not be sent twice')
      }
      this.duplicate = { fault, record: () => this.#record(fault, 'duplicate') }
    }
  }

  /** Whole bodies are replaced by faults in order; each sees what the one before has made. */
  #rewrite(peek: Peek): void {
    const coding = codingOf(this.head)
    const decoded = peek.complete ? decodeContent(this.head, peek.content, MAX_EDITED_BODY_BYTES) : undefined
    if (!decoded || !coding) {
      const reason = peek.complete ? UNKNOWN_CODING : `the body is longer than ${MAX_EDITED_BODY_BYTES} bytes`
      for (const { fault } of this.#rewrites) this.#host.notApplied(fault, reason)
      return
    }
    let content: Buffer | undefined
    let keepLength = false
    for (const { fault, verdict } of this.#rewrites) {
      const result = verdict.rewrite({ content: content ?? decoded, head: this.head })
      if (!result) continue
      content = result.content
      keepLength ||= result.keepLength ?? false
      this.#record(fault, verdict.action)
    }
    if (!content) return
    this.content = coding.encode(content)
    this.head.remove('transfer-encoding')
    if (!keepLength) this.head.set('Content-Length', String(this.content.length))
  }

  #record(fault: InstalledFault, action: string, detail: InjectionDetail = {}): void {
    this.#host.record(fault, this.#direction, action, { ...this.#description, ...detail })
  }
}

const UNKNOWN_CODING = 'the body has a content coding that can not be looked into'

/** What faults are told of a message. */
export function factsOf(
  phase: 'request' | 'response',
  { request, number }: Exchange,
  head: HttpHead,
  { body, contentLength }: HttpFramer,
  outstanding: number,
): HttpMessage {
  return { phase, request, head, body, contentLength, number, outstanding }
}

/** What an injection says of the message that it acted on. */
export function describe({ request, number, phase, head }: HttpMessage): InjectionDetail {
  const detail = { request: number, method: request.head.method, path: request.path.slice(0, 200) }
  return phase === 'request' ? detail : { ...detail, status: head.status }
}
