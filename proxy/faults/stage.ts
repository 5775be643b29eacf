// The seam of stream faults: what flows through a pipe and what may stand in its way. All of it is synchronous.
import type { Clock } from '../clock.ts'
import type { InjectionDetail } from '../injection-log.ts'
import type { Random } from '../random.ts'

/** Which way the bytes go: `upstream` = client to server, `downstream` = server to client. */
export type Direction = 'upstream' | 'downstream'

/** The ways that a fault disturbs. */
export type FaultDirection = Direction | 'both'

/** How a stream ends: FIN this way, close the whole connection (FIN both ways), RST the whole connection. */
export type Signal = 'end' | 'close' | 'reset'

/** Where bytes go. After any of the three signals nothing more is written. */
export interface Sink {
  /**
   * Takes the next bytes. The chunk is only lent: its memory is reused as soon as write() returns, so whoever holds
   * bytes back copies them.
   */
  write(chunk: Buffer): void
  /** The source sent FIN: no more bytes will come this way. The other direction goes on. */
  end(): void
  /** The whole connection is to be closed in good order once this arrives: FIN to both ends. */
  close(): void
  /** The connection is dead: RST to whoever is still there. */
  reset(): void
}

/** What a stage may use of the pipe it stands in. */
export interface StageContext {
  readonly clock: Clock
  /** Keyed by seed, proxy, connection, direction and fault. */
  readonly random: Random
  /** Upper bound of what a stage holds before it counts as full, in bytes. */
  readonly maxHeldBytes: number
  /** Puts an act of the fault on record. */
  record(action: string, detail?: InjectionDetail): void
  /** To be called after the stage passed held bytes on outside write(): the pipe may read again. */
  released(): void
  /** To be called when {@link StageContext.maxHeldBytes} (not a limit of the fault's own) has made the stage full. */
  limitReached(): void
}

/** What the stage of a stream fault knows of its connection beyond that. */
export interface PipeContext extends StageContext {
  /** Of this pipe. */
  readonly direction: Direction
  /** Of the fault. */
  readonly faultDirection: FaultDirection
  /** No byte has come through this pipe. */
  readonly untouched: boolean
  /** How long it took to reach the server, or has taken so far, in milliseconds. */
  readonly dialMs: number
  /** What this fault's stages in the two pipes of a connection share; made by the one that asks first. */
  shared<Value>(make: () => Value): Value
}

/**
 * The running form of a stream fault in one pipe of one connection. The base passes everything on; a fault overrides
 * what it disturbs.
 *
 * Life: constructed and linked (`next` is set), then {@link Stage.start}; {@link Stage.update} whenever the attributes
 * change; at the end either {@link Stage.remove} (the fault is taken off a live connection) or {@link Stage.dispose}
 * (the connection is gone).
 */
export abstract class Stage<Attributes> implements Sink {
  next!: Sink
  protected attributes: Attributes
  protected readonly context: StageContext

  constructor(attributes: Attributes, context: StageContext) {
    this.attributes = attributes
    this.context = context
  }

  /** Bytes held back right now. */
  get heldBytes(): number {
    return 0
  }

  /** True while the stage wants no more bytes: the pipe stops reading its source. */
  get full(): boolean {
    return false
  }

  start(): void {}

  update(attributes: Attributes): void {
    this.attributes = attributes
  }

  write(chunk: Buffer): void {
    this.next.write(chunk)
  }

  end(): void {
    this.next.end()
  }

  close(): void {
    this.next.close()
  }

  reset(): void {
    this.next.reset()
  }

  /** Passes on everything held, in order, now. */
  flush(): void {}

  /** The fault is removed from a live connection. Must leave nothing held and no timer. */
  remove(): void {
    this.flush()
  }

  /** The connection is gone. Must drop what is held and cancel timers. */
  dispose(): void {}
}
