// One direction of a WebSocket connection: the stages of the faults on it, and where in the frames they may begin.
import type { Direction } from '../../faults/stage.ts'
import type { MessageContext, MessageStage } from '../../faults/websocket/message-stage.ts'
import type { WebSocketRule } from '../../faults/websocket/websocket-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { Random } from '../../random.ts'
import type { HttpRequest } from '../http/request.ts'
import type { MessageInput, SessionHost } from '../protocol.ts'
import { StageChain } from '../stage-chain.ts'
import { FramePiece, FrameWalker } from './frame-walker.ts'

/** What a flow needs of the session. */
export interface FlowHost {
  readonly host: SessionHost
  readonly request: HttpRequest
  /** The bytes of a direction make no sense any more. */
  opaque(direction: Direction, reason: string): void
  notApplied(fault: InstalledFault, reason: string): void
}

export class WebSocketFlow implements MessageInput {
  readonly #direction: Direction
  readonly #session: FlowHost
  readonly #chain: StageChain
  readonly #stages = new Map<InstalledFault, MessageStage<unknown>>()
  /** Behind all stages: knows the borders of what has been passed on, where the next stage may begin. */
  readonly #walker: FrameWalker
  /** Why faults can't act any more. */
  #opaqueReason: string | undefined

  constructor(direction: Direction, session: FlowHost) {
    this.#direction = direction
    this.#session = session
    this.#walker = new FrameWalker(direction)
    const output = session.host.output[direction]
    this.#chain = new StageChain({
      write: (chunk) => {
        this.#walkOver(chunk)
        output.write(chunk)
      },
      end: () => output.end(),
      close: () => output.close(),
      reset: () => output.reset(),
    })
  }

  get heldBytes(): number {
    return this.#chain.heldBytes
  }

  get full(): boolean {
    return this.#chain.full
  }

  write(chunk: Buffer): void {
    this.#chain.first.write(chunk)
  }

  end(): void {
    this.#chain.first.end()
  }

  close(): void {
    this.#chain.first.close()
  }

  /** RST is no message: it ends what is on its way, as on a real network. */
  reset(): void {
    this.dispose()
    this.#session.host.output[this.#direction].reset()
  }

  dispose(): void {
    this.#chain.dispose()
    this.#stages.clear()
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  /** The fault's match may hold now or not: its stage comes, changes or goes. */
  setFault(fault: InstalledFault): void {
    const rule = fault.rule as WebSocketRule
    if (!rule.match.handshake(this.#session.request)) return this.removeFault(fault)
    const stage = this.#stages.get(fault)
    if (!stage) return this.#addFault(fault, rule)
    stage.resume()
    stage.match = rule.match
    stage.update(rule.attributes)
  }

  #addFault(fault: InstalledFault, rule: WebSocketRule): void {
    if (this.#opaqueReason !== undefined) return this.#session.notApplied(fault, this.#opaqueReason)
    const stage = rule.createStage(this.#context(fault, rule))
    this.#stages.set(fault, stage)
    this.#chain.add(fault, stage)
  }

  removeFault(fault: InstalledFault): void {
    const stage = this.#stages.get(fault)
    if (!stage) return
    stage.retire()
    if (!stage.unfinished) this.#takeOut(fault)
    this.#session.host.output[this.#direction].updateFlow()
  }

  #takeOut(fault: InstalledFault): void {
    this.#chain.remove(fault)
    this.#stages.delete(fault)
  }

  /** From here on bytes pass as they come. */
  giveUp(reason: string): void {
    this.#opaqueReason ??= reason
    for (const fault of this.#stages.keys()) this.removeFault(fault)
  }

  #context(fault: InstalledFault, rule: WebSocketRule): MessageContext {
    const session = this.#session
    const { host, request } = session
    const direction = this.#direction
    let random: Random | undefined
    let probability: Random | undefined
    return {
      clock: host.clock,
      maxHeldBytes: host.maxHeldBytes,
      direction,
      request,
      match: rule.match,
      walker: this.#walker.clone(),
      get random() {
        return (random ??= host.random(direction, fault, 'message'))
      },
      selects: (messageNumber) => {
        const key = fault.key === undefined ? '' : (request.head.header(fault.key) ?? '')
        probability ??= fault.probability < 1 ? host.random(direction, fault, 'probability') : undefined
        return fault.selection.select(fault, key, () => probability?.at(messageNumber) ?? 0)
      },
      record: (action, detail = {}) => host.record(fault, direction, action, detail),
      released: () => host.output[direction].updateFlow(),
      limitReached: () => host.heldLimitReached(),
      notApplied: (reason) => session.notApplied(fault, reason),
      opaque: (reason, rest) => this.#becomeOpaque(reason, rest),
      finished: () => this.#takeOut(fault),
    }
  }

  // ---- borders ---------------------------------------------------------------------------------------------------

  #walkOver(chunk: Buffer): void {
    if (this.#opaqueReason !== undefined) return
    const walker = this.#walker
    for (let at = 0; ;) {
      at = walker.next(chunk, at)
      if (walker.piece === FramePiece.none) return
      if (walker.piece === FramePiece.opaque) return this.#session.opaque(this.#direction, walker.reason)
    }
  }

  /** A stage has come upon it: whatever is held goes first. */
  #becomeOpaque(reason: string, rest: Buffer): void {
    this.#session.opaque(this.#direction, reason)
    this.giveUp(reason)
    this.#chain.first.write(rest)
  }
}
