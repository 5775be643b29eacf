// One HTTP/1.x connection: the requests of one direction, the answers of the other, and which belongs to which.
import type { TimerHandle } from '../../clock.ts'
import type { Direction, StageContext } from '../../faults/fault.ts'
import type { HttpContext, HttpMessage, HttpRule, HttpVerdict } from '../../faults/http/http-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { Random } from '../../random.ts'
import type { Session, SessionHost } from '../protocol.ts'
import { WebSocketSession } from '../websocket/session.ts'
import { plainAnswer, writeAnswer } from './answer.ts'
import { envoyFaults } from './envoy-faults.ts'
import { Exchange } from './exchange.ts'
import { HttpFlow, type FlowHost } from './flow.ts'
import { walkNow } from './walk-later.ts'

export interface HttpOptions {
  readonly strict: boolean
  readonly headerFaults: boolean
}

/** Requests on one connection that may wait for their answers; then its client is not read until one has come. */
const MAX_OUTSTANDING = 1000

/** A stage in a message holds no more than this: there can be many connections. */
const MAX_STAGE_BYTES = 1024 * 1024

export class HttpSession implements Session, FlowHost {
  readonly input: Readonly<Record<Direction, HttpFlow>>
  rules: readonly InstalledFault[]
  quiet: boolean
  readonly #host: SessionHost
  readonly #options: HttpOptions
  readonly #requests: RequestFlow
  readonly #responses: ResponseFlow
  /** Those whose answers are not complete, in the order of their requests. */
  readonly exchanges: Exchange[] = []
  #exchangeCount = 0
  #webSocketFaults: InstalledFault[] = []
  /** After an upgrade to WebSocket it does the work. */
  #webSocket: WebSocketSession | undefined
  /** Why message faults can't act any more. */
  #opaqueReason: string | undefined
  readonly #randoms = new Map<InstalledFault, Random>()

  constructor(host: SessionHost, options: HttpOptions) {
    this.#host = host
    this.#options = options
    this.rules = options.headerFaults ? envoyFaults : []
    this.quiet = this.#isQuiet()
    this.#requests = new RequestFlow('upstream', host.output.upstream, this)
    this.#responses = new ResponseFlow('downstream', host.output.downstream, this)
    this.input = { upstream: this.#requests, downstream: this.#responses }
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  get answers(): boolean {
    return this.rules.some((fault) => (fault.rule as HttpRule).phase === 'request')
  }

  addFault(fault: InstalledFault): void {
    walkNow()
    this.quiet = false
    if ((fault.rule as { kind: string }).kind === 'websocket') {
      this.#webSocketFaults = [...this.#webSocketFaults, fault]
      this.#webSocket?.addFault(fault)
      return
    }
    if (this.#opaqueReason !== undefined) return this.notApplied(fault, this.#opaqueReason)
    this.rules = [...this.rules, fault]
    const [exchange] = this.exchanges
    if ((fault.rule as HttpRule).joins && exchange) this.#responses.join(fault, exchange)
  }

  /** The new settings hold for messages that come; those on their way go on with the old ones. */
  updateFault(fault: InstalledFault): void {
    this.#webSocket?.updateFault(fault)
  }

  removeFault(fault: InstalledFault): void {
    walkNow()
    this.rules = this.rules.filter((rule) => rule !== fault)
    this.#webSocketFaults = this.#webSocketFaults.filter((other) => other !== fault)
    this.#randoms.delete(fault)
    this.#webSocket?.removeFault(fault)
    this.#requests.removeFault(fault)
    this.#responses.removeFault(fault)
    this.quiet = this.#isQuiet()
  }

  outputDrained(direction: Direction): void {
    this.#webSocket?.outputDrained(direction)
    if (direction === 'downstream') this.#releaseBacklog()
  }

  dispose(): void {
    this.#requests.dispose()
    this.#responses.dispose()
    this.#webSocket?.dispose()
  }

  /** Strict connections never are: what can't be understood must not be passed on. */
  #isQuiet(): boolean {
    return !this.hasFaults && !this.#options.strict && !this.exchanges.some((exchange) => exchange.special)
  }

  // ---- what flows ask for ----------------------------------------------------------------------------------------

  setTimer(callback: () => void, delayMs: number): TimerHandle {
    return this.#host.clock.setTimer(callback, delayMs)
  }

  clearTimer(timer: TimerHandle): void {
    this.#host.clock.clearTimer(timer)
  }

  selects(fault: InstalledFault, direction: Direction, exchange: Exchange): boolean {
    const key = fault.key === undefined ? '' : (exchange.request.head.header(fault.key) ?? '')
    return fault.selection.select(fault, key, () =>
      this.#host.random(direction, fault, 'probability').at(exchange.number),
    )
  }

  decide(fault: InstalledFault, direction: Direction, message: HttpMessage): HttpVerdict {
    const session = this
    const context: HttpContext = {
      clock: this.#host.clock,
      get random() {
        return session.#random(fault, direction)
      },
    }
    return (fault.rule as HttpRule).decide(message, context)
  }

  stageContext(fault: InstalledFault, flow: HttpFlow, detail: InjectionDetail): StageContext {
    const session = this
    const { direction } = flow
    return {
      clock: this.#host.clock,
      maxHeldBytes: Math.min(this.#host.maxHeldBytes, MAX_STAGE_BYTES),
      get random() {
        return session.#host.random(direction, fault, `message ${detail['request']}`)
      },
      record: (action, more) => this.record(fault, direction, action, { ...detail, ...more }),
      released: () => flow.stagesReleased(),
      limitReached: () => this.#host.heldLimitReached(),
    }
  }

  record(fault: InstalledFault, direction: Direction, action: string, detail: InjectionDetail): void {
    this.#host.record(fault, direction, action, detail)
  }

  notApplied(fault: InstalledFault, reason: string): void {
    this.#host.event('fault_not_applied', { fault: fault.name, type: fault.type, reason })
  }

  #random(fault: InstalledFault, direction: Direction): Random {
    let random = this.#randoms.get(fault)
    if (!random) this.#randoms.set(fault, (random = this.#host.random(direction, fault, 'message')))
    return random
  }

  // ---- exchanges -------------------------------------------------------------------------------------------------

  /** A request has begun. */
  begin(head: string | Buffer): Exchange {
    const exchange = new Exchange(++this.#exchangeCount, head, this.#requests.framer)
    this.enqueue(exchange)
    return exchange
  }

  enqueue(exchange: Exchange): void {
    if (exchange.special) this.quiet = false
    if (this.exchanges.push(exchange) === 1) this.#responses.framer.answers = exchange.method
  }

  /** The answer of the first exchange is complete. */
  finish(): void {
    const exchange = this.exchanges.shift()
    if (exchange) exchange.finished = true
    this.#responses.framer.answers = this.exchanges[0]?.method ?? 'other'
    if (exchange?.mayTunnel && this.#requests.waitsFor === 'tunnel') this.#requests.resume()
    this.sendAnswers()
    this.#releaseBacklog()
  }

  /** Sends the proxy's own answers whose turn has come. */
  sendAnswers(): void {
    for (let first = this.exchanges[0]; first?.answer && this.#responses.idle; first = this.exchanges[0]) {
      this.#host.output.downstream.write(first.answer)
      this.exchanges.shift()
      first.finished = true
      this.#responses.framer.answers = this.exchanges[0]?.method ?? 'other'
      this.closeBehind(first)
    }
  }

  /** Closes the connection if this was an exchange's last part and the client wants that. */
  closeBehind(exchange: Exchange): void {
    if (!exchange.closeAfter || !exchange.finished || !exchange.requestDone) return
    this.#requests.swallowAll()
    this.#responses.swallowAll()
    this.#host.output.downstream.close()
  }

  get hasFaults(): boolean {
    return this.rules.length > 0 || this.#webSocketFaults.length > 0
  }

  /** The server says no more: what waits for its answers waits in vain, and is nothing that faults could still act on. */
  serverEnded(): void {
    const { waitsFor } = this.#requests
    const waits = waitsFor === 'tunnel' || waitsFor === 'backlog' || this.exchanges.length >= MAX_OUTSTANDING
    if (!waits) return
    this.#requests.passThrough(this.#host.output.upstream, true)
    this.#host.output.upstream.updateFlow()
  }

  /** Too many answers are waiting to be sent or to come: the next request waits. */
  get backlogged(): boolean {
    return this.exchanges.length >= MAX_OUTSTANDING || this.#host.output.downstream.full
  }

  #releaseBacklog(): void {
    this.quiet ||= this.#isQuiet()
    if (this.exchanges.length === MAX_OUTSTANDING - 1) this.#host.output.upstream.updateFlow()
    if (this.#requests.waitsFor === 'backlog' && !this.backlogged) this.#requests.resume()
  }

  /** Tells the client to send its body before the server has said so. Returns false if that can't be said now. */
  sendContinue(exchange: Exchange): void {
    if (this.exchanges[0] !== exchange || !this.#responses.idle) return
    exchange.continued = true
    this.#host.output.downstream.write(CONTINUE)
  }

  // ---- other protocols -------------------------------------------------------------------------------------------

  /** The connection speaks something else from here on. */
  switchProtocols(exchange: Exchange | undefined): void {
    const isWebSocket = exchange?.request.head.hasToken('upgrade', 'websocket') ?? false
    if (exchange && isWebSocket) {
      this.#webSocket = new WebSocketSession(this.#host, exchange.request, this.#webSocketFaults)
    }
    const { input } = this.#webSocket ?? { input: this.#host.output }
    this.#responses.passThrough(input.downstream, true)
    this.#requests.passThrough(input.upstream, true)
  }

  opaque(flow: HttpFlow, reason: string): void {
    this.#opaqueReason = reason
    const { output } = this.#host
    this.#host.event('opaque', { protocol: 'http', direction: flow.direction, reason })
    if (this.#options.strict) return this.#refuse(flow, reason)
    const other = flow === this.#requests ? this.#responses : this.#requests
    flow.passThrough(output[flow.direction], true)
    other.passThrough(output[other.direction], false)
    for (const { answer } of this.exchanges.splice(0)) if (answer) output.downstream.write(answer)
  }

  /** What can't be understood goes no further: 400 to the client, 502 if the server is to blame. */
  #refuse(flow: HttpFlow, reason: string): void {
    const { downstream } = this.#host.output
    const fromServer = flow === this.#responses
    const atStart = this.#responses.idle || (fromServer && this.#responses.nothingPassed)
    this.#requests.swallowAll()
    this.#responses.swallowAll()
    if (!atStart) return downstream.reset()
    const text = fromServer ? `Bad Gateway: the answer is ambiguous: ${reason}` : `Bad Request: ${reason}`
    downstream.write(writeAnswer(plainAnswer(fromServer ? 502 : 400, text), { head: false, close: true }))
    downstream.close()
  }
}

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')

class RequestFlow extends HttpFlow {
  readonly #session: HttpSession
  #current: Exchange | undefined

  constructor(direction: Direction, output: SessionHost['output']['upstream'], session: HttpSession) {
    super(direction, output, session)
    this.#session = session
  }

  override get full(): boolean {
    return super.full || (this.#session.exchanges.length >= MAX_OUTSTANDING && !this.passesThrough)
  }

  protected override headArrived(): Exchange {
    return (this.#current = this.#session.begin(this.framer.headText))
  }

  protected override wholeMessage(chunk: Buffer): void {
    this.#current = this.#session.begin(chunk)
    this.messageEnded()
  }

  protected override messageEnded(): void {
    const exchange = this.#current
    if (!exchange) return
    exchange.requestDone = true
    // What follows is another protocol or the next request: only the answer can tell. Without faults it makes no odds.
    const untold = exchange.mayTunnel && !exchange.answer && !exchange.finished
    if (untold && this.#session.hasFaults) this.waitFor('tunnel')
    else if (!this.walking && this.#session.backlogged) this.waitFor('backlog')
    this.#session.closeBehind(exchange)
  }

  protected override answered(exchange: Exchange, { answer }: Extract<HttpVerdict, { kind: 'answer' }>): void {
    const { head } = exchange.request
    const close =
      exchange.minorVersion === 0 ? !head.hasToken('connection', 'keep-alive') : head.hasToken('connection', 'close')
    exchange.closeAfter = close
    exchange.answer = writeAnswer(answer, { head: exchange.method === 'HEAD', close })
    this.#session.sendAnswers()
  }

  protected override outstanding(exchange: Exchange): number {
    return this.#session.exchanges.indexOf(exchange)
  }

  protected override expectsBody(exchange: Exchange): void {
    if (exchange.request.head.hasToken('expect', '100-continue')) this.#session.sendContinue(exchange)
  }

  protected override repeat(bytes: Buffer): void {
    this.output.write(bytes)
    if (this.#current) this.#session.enqueue(this.#current.again())
  }
}

/** What most answers begin with; the first digit of the status follows. */
const ANSWER = Buffer.from('HTTP/1.1 ')

class ResponseFlow extends HttpFlow {
  readonly #session: HttpSession

  constructor(direction: Direction, output: SessionHost['output']['downstream'], session: HttpSession) {
    super(direction, output, session)
    this.#session = session
  }

  /** Behind 101 the bytes are another protocol's, which must see them all: it is never understood late. */
  override letPass(chunk: Buffer): boolean {
    const digitAt = ANSWER.length
    const isFinal = chunk[0] === ANSWER[0] && (chunk[digitAt] as number) > 0x31 && chunk[digitAt - 1] === 0x20
    return isFinal && super.letPass(chunk)
  }

  protected override headArrived(): Exchange | undefined {
    const [exchange] = this.#session.exchanges
    if (!exchange) return undefined
    const { status } = this.framer
    if (exchange.swallow || (status === 100 && exchange.continued)) {
      this.dropMessage()
      return undefined
    }
    return status < 200 && status !== 101 ? undefined : exchange
  }

  protected override wholeMessage(): void {
    this.messageEnded()
  }

  protected override messageEnded(): void {
    const { status } = this.framer
    const [exchange] = this.#session.exchanges
    if (status === 101 || (exchange?.method === 'CONNECT' && status >= 200 && status < 300)) {
      return this.#session.switchProtocols(exchange)
    }
    if (status >= 200) this.#session.finish()
  }

  protected override answered(): void {
    throw new Error('an answer can not be answered')
  }

  protected override outstanding(): number {
    return 0
  }

  protected override sourceEnded(): void {
    this.#session.serverEnded()
  }
}
