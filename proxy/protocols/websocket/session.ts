// A WebSocket connection behind its handshake: two directions of messages, which know nothing of each other.
import type { Direction } from '../../faults/stage.ts'
import type { WebSocketRule } from '../../faults/websocket/websocket-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { HttpRequest } from '../http/request.ts'
import type { SessionHost } from '../protocol.ts'
import { WebSocketFlow, type FlowHost } from './flow.ts'

export class WebSocketSession implements FlowHost {
  readonly host: SessionHost
  readonly request: HttpRequest
  readonly input: Readonly<Record<Direction, WebSocketFlow>>
  #opaque = false

  /**
   * To be made once the handshake's answer has been passed on: a fault may write at once.
   *
   * @param request the handshake
   * @param faults those of WebSocket, in the order of their creation
   */
  constructor(host: SessionHost, request: HttpRequest, faults: Iterable<InstalledFault>) {
    this.host = host
    this.request = request
    this.input = { upstream: new WebSocketFlow('upstream', this), downstream: new WebSocketFlow('downstream', this) }
    for (const fault of faults) this.addFault(fault)
  }

  addFault(fault: InstalledFault): void {
    for (const flow of this.#flows(fault)) flow.setFault(fault)
  }

  updateFault(fault: InstalledFault): void {
    if ((fault.rule as WebSocketRule).kind === 'websocket') for (const flow of this.#flows(fault)) flow.setFault(fault)
  }

  removeFault(fault: InstalledFault): void {
    for (const flow of this.#flows(fault)) flow.removeFault(fault)
  }

  #flows({ direction }: InstalledFault): readonly WebSocketFlow[] {
    const { upstream, downstream } = this.input
    return direction === 'both' ? [upstream, downstream] : [this.input[direction]]
  }

  /** Sources are paused by the pipes themselves. */
  outputDrained(_direction: Direction): void {}

  dispose(): void {
    this.input.upstream.dispose()
    this.input.downstream.dispose()
  }

  /** Whoever breaks the framing in one direction is not to be trusted in the other: both pass from here on. */
  opaque(direction: Direction, reason: string): void {
    if (this.#opaque) return
    this.#opaque = true
    this.host.event('opaque', { protocol: 'websocket', direction, reason })
    this.input.upstream.giveUp(reason)
    this.input.downstream.giveUp(reason)
  }

  notApplied(fault: InstalledFault, reason: string): void {
    this.host.event('fault_not_applied', { fault: fault.name, type: fault.type, reason })
  }
}
