// A Postgres session without sockets: bytes go in and come out when a test says so, and time stands still.
import { InstalledFault, ManualClock, type Direction, type FaultSpec } from '../../proxy/index.ts'
import type { MessageOutput, SessionHost } from '../../proxy/protocols/protocol.ts'
import { prepareOptions } from '../../proxy/protocols/postgres/options.ts'
import { PostgresSession } from '../../proxy/protocols/postgres/session.ts'
import { Random } from '../../proxy/random.ts'
import { ScriptedServer } from './postgres-scripted.ts'

class Output implements MessageOutput {
  readonly full = false
  readonly written: Buffer[] = []
  /** Whether what is written can be read afterwards. */
  keeps = true
  ending = ''
  readonly #then: (chunk: Buffer) => void

  constructor(then: (chunk: Buffer) => void = () => {}) {
    this.#then = then
  }

  write(chunk: Buffer): void {
    if (!this.keeps) return
    const copy = Buffer.from(chunk)
    this.written.push(copy)
    this.#then(copy)
  }

  end(): void {
    this.ending += ' end'
  }

  close(): void {
    this.ending += ' close'
  }

  reset(): void {
    this.ending += ' reset'
  }

  updateFlow(): void {}

  get bytes(): Buffer {
    return Buffer.concat(this.written)
  }
}

/**
 * A session without sockets, with a server by script behind it. Chunks are lent to it: their memory is overwritten as soon
 * as it has them.
 */
export class IsolatedPostgres {
  readonly clock = new ManualClock()
  readonly upstream = new Output((chunk) => this.#inbox.push(chunk))
  readonly downstream = new Output()
  readonly session: PostgresSession
  readonly events: string[] = []
  readonly #server = new ScriptedServer()
  readonly #inbox: Buffer[] = []
  #outbox: Buffer = Buffer.alloc(0)

  constructor(faults: readonly FaultSpec[]) {
    const host: SessionHost = {
      clock: this.clock,
      maxHeldBytes: 2 ** 24,
      output: { upstream: this.upstream, downstream: this.downstream },
      upstream: { host: '127.0.0.1', port: 1 },
      random: (_direction, fault, purpose) => new Random(1, fault.name, purpose),
      record: () => {},
      event: (type, detail) => void this.events.push(`${type} ${String(detail['reason'])}`),
      heldLimitReached: () => {},
    }
    this.session = new PostgresSession(host, prepareOptions({ tls: 'passthrough', tlsVerify: 'none' }))
    for (const fault of faults) this.session.addFault(InstalledFault.fromSpec(fault))
  }

  /** The client's next bytes arrive. */
  say(bytes: Buffer): void {
    this.#write('upstream', bytes)
  }

  /** The server takes notice of what has arrived there. */
  serve(): void {
    const answers = this.#inbox.splice(0).map((chunk) => this.#server.receive(chunk))
    this.#outbox = Buffer.concat([this.#outbox, ...answers])
  }

  /** So many bytes of the server's answers arrive. */
  answer(bytes: number): void {
    const piece = this.#outbox.subarray(0, bytes)
    this.#outbox = this.#outbox.subarray(bytes)
    if (piece.length > 0) this.#write('downstream', piece)
  }

  /** Until nothing is on its way any more. */
  settle(): void {
    for (;;) {
      this.serve()
      if (this.#outbox.length > 0) this.answer(this.#outbox.length)
      else if (this.clock.pendingTimers > 0) this.clock.advance(1)
      else if (this.#inbox.length === 0) return
    }
  }

  #write(direction: Direction, bytes: Buffer): void {
    const lent = Buffer.from(bytes)
    this.session.input[direction].write(lent)
    lent.fill(0xff)
  }
}
