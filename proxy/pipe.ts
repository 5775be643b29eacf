// One direction of a connection: source socket → stages → destination socket, with backpressure across.
//
//   source ──onread──▶ (messages) ─▶ stage ─▶ stage ─▶ the pipe itself (the last sink) ──write──▶ destination
//
// Where the protocol has messages, a session understands and disturbs them before the stages: messages are decided on
// as they were sent, the network is what lies behind. Without session and stages a read is one call to the destination's
// write().
import type { Socket } from 'node:net'
import type { BusyPoll } from './busy-poll.ts'
import type { Direction, Sink, Stage, StreamFault } from './faults/fault.ts'
import type { InstalledFault } from './installed-fault.ts'
import type { MessageOutput, Session, SourceInput } from './protocols/protocol.ts'
import { giveBusyBuffer, quietBuffer, takeBusyBuffer } from './read-buffers.ts'
import { finishSocket, needsNoDelay, onFin, WRITE_QUEUE_BYTES, type ReadInto } from './socket.ts'
import { PipeStageContext, type StageHost } from './stage-context.ts'

/** Bytes through all connections of a proxy in one direction. */
export interface Traffic {
  receivedBytes: number
  sentBytes: number
}

/** What a pipe needs from the connection that it is part of. */
export interface PipeHost extends StageHost {
  readonly busyPoll: BusyPoll | undefined
  /** A close has arrived at the end of the pipe. */
  close(): void
  /** An RST has arrived at the end of the pipe. */
  reset(): void
}

interface ActiveStage {
  readonly fault: InstalledFault
  readonly stage: Stage<unknown>
}

/**
 * Chunks below this are copied out of the read buffer, so that it is free again whatever write() does. A larger one
 * fills the destination's write queue by itself, so that a `drain` tells when its memory is free.
 */
const COPY_BELOW_BYTES = WRITE_QUEUE_BYTES

const NO_STAGES: readonly ActiveStage[] = []

export class Pipe implements Sink, Traffic {
  readonly direction: Direction
  readonly #host: PipeHost
  readonly #traffic: Traffic
  readonly #busyPoll: BusyPoll | undefined
  /** Through this pipe. */
  receivedBytes = 0
  sentBytes = 0
  #source: Socket | undefined
  #destination: Socket | undefined
  /** Where the source's bytes go: the session, or {@link Pipe.#first}. */
  #head: Sink = this
  /** The first stage, or the pipe itself. */
  #first: Sink = this
  #session: Session | undefined
  #messages: SourceInput | undefined
  #stages: readonly ActiveStage[] = NO_STAGES
  /** The buffer of the next read: the quiet one, or one of our own. */
  #buffer: Buffer = quietBuffer
  /** Set while a read is being passed on. */
  #reading = false
  /** Set while a large read is being passed on: chunks in this memory are lent. */
  #lent: ArrayBufferLike | undefined
  /** Our own buffer while the destination still sends from it. */
  #pinned: Buffer | undefined
  #destinationFull = false
  #wasOutputFull = false
  #reads = 0
  #nothingSent = true
  #noDelay = false
  #paused = false
  #discarding = false
  /** Set when the destination could not be reached and nobody has been told yet. */
  #whenMissed: ((how: 'write' | 'end') => void) | undefined

  constructor(direction: Direction, host: PipeHost, traffic: Traffic) {
    this.direction = direction
    this.#host = host
    this.#traffic = traffic
    this.#busyPoll = host.busyPoll
  }

  /** For the socket that will be this pipe's source. */
  get readInto(): ReadInto {
    return { buffer: () => this.#buffer, callback: (length, buffer) => this.#read(length, buffer as Buffer) }
  }

  /** Sets the two ends. Bytes may only arrive afterwards. */
  connect(source: Socket, destination: Socket): void {
    this.#source = source
    this.#destination = destination
    onFin(source, () => this.#head.end())
    destination.on('drain', () => this.#drained())
  }

  /** Where a session writes what it has understood. */
  get output(): MessageOutput {
    return new PipeOutput(this)
  }

  /** What comes behind the session: the first stage, or the pipe itself. */
  get first(): Sink {
    return this.#first
  }

  /** From now on the source's bytes go through a session. To be called before any have come. */
  understand(session: Session): void {
    this.#session = session
    this.#messages = session.input[this.direction]
    this.#head = this.#messages
  }

  /**
   * The destination could not be reached. True if nothing has been sent to it, so that it need not be missed yet; then
   * `missed` is called when something is to be sent.
   */
  destinationMissing(missed: (how: 'write' | 'end') => void): boolean {
    this.#whenMissed = missed
    return this.#nothingSent
  }

  /** The source is gone by an error: RST travels through the stages like everything else. */
  sourceFailed(): void {
    this.#head.reset()
  }

  /** Reads from the source so far. */
  get reads(): number {
    return this.#reads
  }

  /** No byte has come from the source. */
  get untouched(): boolean {
    return this.#reads === 0
  }

  /** Bytes held back by stages. */
  get heldBytes(): number {
    let bytes = this.#messages?.heldBytes ?? 0
    for (const { stage } of this.#stages) bytes += stage.heldBytes
    return bytes
  }

  // ---- faults ----------------------------------------------------------------------------------------------------

  /** Whether a fault acts here. */
  has(fault: InstalledFault): boolean {
    return this.#stages.some((entry) => entry.fault === fault)
  }

  /** Lets a fault act here from now on, behind those that are here. */
  addFault(fault: InstalledFault): void {
    if (!this.#discarding) this.#insert(fault, this.#stages.length)
  }

  /** The settings of a fault that is to act here have changed. `before` are the faults that were created before it. */
  updateFault(fault: InstalledFault, before: ReadonlySet<InstalledFault>): void {
    if (this.#discarding) return
    const active = this.#stages.find((entry) => entry.fault === fault)
    if (active) {
      active.stage.update(fault.attributes)
      this.updateFlow()
    } else {
      this.#insert(fault, this.#stages.filter((entry) => before.has(entry.fault)).length)
    }
  }

  /** Takes a fault off; what it holds passes on before anything that comes later. */
  removeFault(fault: InstalledFault): void {
    const active = this.#stages.find((entry) => entry.fault === fault)
    if (!active) return
    this.#stages = this.#stages.filter((entry) => entry !== active)
    // First the held bytes, into what comes behind; then the link, so that nothing overtakes anything.
    active.stage.remove()
    this.#relink()
    this.updateFlow()
  }

  /** From now on the source is read and its bytes are dropped: for a connection that is being closed. */
  discard(): void {
    if (this.#discarding) return
    this.#discarding = true
    this.#disposeStages()
    this.#messages = undefined
    this.#first = NOWHERE
    this.#head = NOWHERE
    this.#destinationFull = false
    this.updateFlow()
  }

  /** Both sockets are closed: lets go of everything. */
  dispose(): void {
    this.#disposeStages()
    giveBusyBuffer(this.#buffer)
    this.#buffer = quietBuffer
    this.#unpin()
  }

  #disposeStages(): void {
    for (const { stage } of this.#stages) stage.dispose()
    this.#stages = NO_STAGES
  }

  #insert(fault: InstalledFault, index: number): void {
    const definition = fault.definition as StreamFault
    const context = new PipeStageContext(this.#host, this.direction, fault, this)
    const stage = definition.create(fault.attributes, context) as Stage<unknown>
    const entry = { fault, stage }
    this.#stages = this.#stages.length === 0 ? [entry] : this.#stages.toSpliced(index, 0, entry)
    this.#relink()
    stage.start()
    this.updateFlow()
  }

  #relink(): void {
    let next: Sink = this
    for (let index = this.#stages.length - 1; index >= 0; index--) {
      const stage = this.#stages[index]?.stage
      if (!stage) continue
      stage.next = next
      next = stage
    }
    this.#first = this.#discarding ? NOWHERE : next
    this.#head = this.#messages ?? this.#first
  }

  // ---- reading ---------------------------------------------------------------------------------------------------

  #read(length: number, buffer: Buffer): boolean {
    this.#traffic.receivedBytes += length
    this.receivedBytes += length
    this.#reading = true
    this.#reads++
    this.#busyPoll?.touch()
    if (length < COPY_BELOW_BYTES) {
      // Most reads. Copying a small chunk is cheaper than the 64 KiB that Node would allocate.
      const copy = copyOf(buffer, length)
      if (this.#messages?.letPass(copy)) this.#first.write(copy)
      else this.#head.write(copy)
    } else {
      this.#lent = buffer.buffer
      this.#head.write(buffer.subarray(0, length))
      this.#lent = undefined
    }
    this.#reading = false
    this.#chooseBuffer(length, buffer)
    if (this.#stages.length > 0 || this.#messages?.full) this.updateFlow()
    return !this.#paused
  }

  /** A read that fills the quiet buffer is a busy connection's; one that is small is a quiet one's. */
  #chooseBuffer(length: number, buffer: Buffer): void {
    if (buffer === quietBuffer) {
      if (length === buffer.length && !this.#discarding) this.#buffer = takeBusyBuffer()
    } else if (this.#pinned === buffer) {
      // The destination is slow, so we will wait: the next read shows whether another busy buffer is needed.
      this.#buffer = quietBuffer
    } else if (length < quietBuffer.length || this.#discarding) {
      giveBusyBuffer(buffer)
      this.#buffer = quietBuffer
    }
  }

  // ---- the last sink ---------------------------------------------------------------------------------------------

  /** Writes to the destination. */
  write(chunk: Buffer): void {
    if (chunk.buffer !== this.#lent) this.#send(chunk)
    else if (chunk.length < COPY_BELOW_BYTES || this.#lent === quietBuffer.buffer)
      this.#send(copyOf(chunk, chunk.length))
    else if (!this.#send(chunk)) this.#pinned = this.#buffer
  }

  end(): void {
    this.#whenMissed?.('end')
    if (this.#destination) finishSocket(this.#destination)
  }

  close(): void {
    this.#host.close()
  }

  reset(): void {
    this.#host.reset()
  }

  /** Returns true if the kernel has taken everything, so that the chunk's memory is free again. */
  #send(chunk: Buffer): boolean {
    const destination = this.#destination
    // Towards an end that is gone, bytes are lost as they are on a real network.
    if (!destination || destination.destroyed || destination.writableEnded || this.#discarding) {
      this.#whenMissed?.('write')
      return true
    }
    this.#traffic.sentBytes += chunk.length
    this.sentBytes += chunk.length
    if (!this.#noDelay) {
      this.#noDelay = needsNoDelay(this.#nothingSent, chunk.length)
      this.#nothingSent = false
      if (this.#noDelay) destination.setNoDelay()
    }
    const roomLeft = destination.write(chunk)
    if (destination.writableLength === 0) return true
    if (!roomLeft) {
      this.#destinationFull = true
      this.updateFlow()
    }
    return false
  }

  #drained(): void {
    this.#unpin()
    this.#destinationFull = false
    this.updateFlow()
  }

  #unpin(): void {
    if (this.#pinned) giveBusyBuffer(this.#pinned)
    this.#pinned = undefined
  }

  // ---- backpressure ----------------------------------------------------------------------------------------------

  /** True while the destination or a stage wants no more bytes. */
  get outputFull(): boolean {
    return this.#destinationFull || (this.#stages.length > 0 && this.#stages.some(isFull))
  }

  /** Pauses or resumes the source, as the destination and the stages want it. */
  updateFlow(): void {
    const wasFull = this.#wasOutputFull
    const outputFull = (this.#wasOutputFull = this.outputFull)
    if (wasFull && !outputFull) this.#session?.outputDrained(this.direction)
    const paused = outputFull || this.#messages?.full === true
    if (paused === this.#paused) return
    this.#paused = paused
    // During a read its callback's result pauses the source.
    if (!paused) this.#source?.resume()
    else if (!this.#reading) this.#source?.pause()
  }
}

/** The part of a pipe behind its session. */
class PipeOutput implements MessageOutput {
  readonly #pipe: Pipe

  constructor(pipe: Pipe) {
    this.#pipe = pipe
  }

  get full(): boolean {
    return this.#pipe.outputFull
  }

  write(chunk: Buffer): void {
    this.#pipe.first.write(chunk)
  }

  end(): void {
    this.#pipe.first.end()
  }

  close(): void {
    this.#pipe.first.close()
  }

  reset(): void {
    this.#pipe.first.reset()
  }

  updateFlow(): void {
    this.#pipe.updateFlow()
  }
}

function isFull({ stage }: ActiveStage): boolean {
  return stage.full
}

/** Not Buffer.from(): it looks at what it was given for longer than copying a small chunk takes. */
function copyOf(buffer: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length)
  buffer.copy(copy, 0, 0, length)
  return copy
}

/** Swallows everything. */
const NOWHERE: Sink = { write() {}, end() {}, close() {}, reset() {} }
