// A WebSocket session by itself on the fake clock: for what must hold for any frames, cut anywhere. No sockets.
import {
  InstalledFault,
  ManualClock,
  type Direction,
  type FaultChange,
  type FaultSpec,
  type InjectionDetail,
} from '../../proxy/index.ts'
import { HttpRequest } from '../../proxy/protocols/http/request.ts'
import type { MessageOutput, SessionEvent } from '../../proxy/protocols/protocol.ts'
import { WebSocketSession } from '../../proxy/protocols/websocket/session.ts'
import { Random } from '../../proxy/random.ts'
import { decode, type Frame } from './websocket-frames.ts'

const HANDSHAKE = 'GET /chat?room=1 HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nX-User: u1\r\n\r\n'

/** What has come out in one direction. */
class Output implements MessageOutput {
  readonly full = false
  readonly passed: Buffer[] = []
  readonly signals: string[] = []
  flowUpdates = 0

  write(chunk: Buffer): void {
    this.passed.push(Buffer.from(chunk))
  }

  end(): void {
    this.signals.push('end')
  }

  close(): void {
    this.signals.push('close')
  }

  reset(): void {
    this.signals.push('reset')
  }

  updateFlow(): void {
    this.flowUpdates++
  }

  get bytes(): Buffer {
    return Buffer.concat(this.passed)
  }
}

export class IsolatedWebSocket {
  readonly clock = new ManualClock()
  readonly output = { upstream: new Output(), downstream: new Output() }
  readonly acts: { action: string; detail: InjectionDetail }[] = []
  readonly events: { type: SessionEvent; detail: InjectionDetail }[] = []
  limitsReached = 0
  readonly session: WebSocketSession
  readonly #faults = new Map<string, InstalledFault>()

  constructor(faults: readonly FaultSpec[] = [], { maxHeldBytes = 2 ** 24, seed = 1 } = {}) {
    const host = {
      clock: this.clock,
      maxHeldBytes,
      output: this.output,
      upstream: { host: '127.0.0.1', port: 1 },
      random: (...[direction, fault, purpose]: [Direction, InstalledFault, string]) =>
        new Random(seed, direction, fault.name, purpose),
      record: (fault: InstalledFault, _direction: Direction, action: string, detail: InjectionDetail) => {
        fault.injections++
        this.acts.push({ action, detail })
      },
      event: (type: SessionEvent, detail: InjectionDetail) => void this.events.push({ type, detail }),
      heldLimitReached: () => void this.limitsReached++,
    }
    const installed = faults.map((spec) => this.#install(spec))
    this.session = new WebSocketSession(host, new HttpRequest(HANDSHAKE), installed)
  }

  #install(spec: FaultSpec): InstalledFault {
    const fault = InstalledFault.fromSpec(spec)
    this.#faults.set(fault.name, fault)
    return fault
  }

  add(spec: FaultSpec): void {
    this.session.addFault(this.#install(spec))
  }

  change(name: string, change: FaultChange): void {
    const fault = this.#faults.get(name)!
    fault.apply(fault.checkChange(change))
    this.session.updateFault(fault)
  }

  remove(name: string): void {
    const fault = this.#faults.get(name)!
    this.#faults.delete(name)
    this.session.removeFault(fault)
  }

  /** Lends the session a chunk: its memory is overwritten as soon as the session has it. */
  write(direction: Direction, chunk: Buffer): void {
    const lent = Buffer.from(chunk)
    this.session.input[direction].write(lent)
    if (!lent.equals(chunk)) throw new Error('what is lent has been changed')
    lent.fill(0xff)
  }

  /** The frames that have come out. Fails if they are not whole. */
  frames(direction: Direction): Frame[] {
    return decode(direction, this.output[direction].bytes)
  }

  get heldBytes(): number {
    return this.session.input.upstream.heldBytes + this.session.input.downstream.heldBytes
  }
}
