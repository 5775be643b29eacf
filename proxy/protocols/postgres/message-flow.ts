// One direction of a Postgres connection: walks over its messages and passes them on. What nobody disturbs passes as it
// came, as much of a chunk at once as possible; large messages are never kept.
import type { Direction } from '../../faults/fault.ts'
import type { MessageInput, MessageOutput, SourceInput } from '../protocol.ts'
import { HEADER_BYTES } from './wire.ts'

/**
 * What becomes of a message: it passes; nothing of it does; the flow waits and whoever asked for that has taken it; the
 * flow waits and asks again; a part of it passes, as {@link MessageFlow.passPart} was told (only of those of which the
 * header is looked at).
 */
export const Fate = { pass: 0, drop: 1, taken: 2, again: 3, part: 4 } as const
export type Fate = (typeof Fate)[keyof typeof Fate]

/** While something waits, this much behind it is taken in before the source is paused. */
const MAX_PENDING_BYTES = 65_536

/** How the next message begins. */
export type Shape = 'typed' | 'startup' | 'byte'

export abstract class MessageFlow implements SourceInput {
  abstract readonly direction: Direction
  /** Where messages go; another one from when the connection is encrypted. */
  output: MessageOutput
  protected shape: Shape = 'typed'
  #through: MessageInput | MessageOutput | undefined
  #dead = false
  #waiting = false
  #draining = false
  /** What came behind the message that waits, copied. */
  #pending: Buffer[] = []
  #pendingBytes = 0
  #pendingEnd = false
  /** Left of a message's body whose header has been decided on, and whether it passes. */
  #left = 0
  #leftPasses = true
  /** Of a message of which only a part passes: so much of it, and what happens behind that. */
  #part: { readonly bytes: number; readonly end: () => void } | undefined
  /** A message, or only its header, that has not come completely. */
  #partial: Buffer | undefined
  #partialLength = 0
  // Of the chunk that is walked over: bytes in [from, at) pass and have not been written yet.
  #chunk: Buffer = NOTHING
  #from = 0
  #at = 0

  constructor(output: MessageOutput) {
    this.output = output
  }

  // ---- for each direction's own messages -------------------------------------------------------------------------

  /** Whether a message of this type and size (with its header) is to be seen whole. */
  protected abstract wants(type: number, size: number): boolean
  /** Decides on a whole message. Its memory is only good during the call. */
  protected abstract message(type: number, message: Buffer): Fate
  /** Decides on a message of which only the header is looked at. */
  protected abstract header(type: number, size: number): Fate
  /** What comes is no protocol of Postgres. */
  protected abstract nonsense(reason: string): void
  /** Called when the end of the source has come behind everything else; to pass it on with {@link MessageFlow.passEnd}. */
  protected abstract ended(): void
  /** {@link MessageFlow.full} may have changed outside write(). */
  protected abstract flowChanged(): void

  // ---- state -----------------------------------------------------------------------------------------------------

  get heldBytes(): number {
    const behind = this.#through && 'heldBytes' in this.#through ? this.#through.heldBytes : 0
    return this.#pendingBytes + this.#partialLength + behind
  }

  get full(): boolean {
    if (this.#through) return 'heldBytes' in this.#through && this.#through.full
    return this.#waiting && this.#pendingBytes >= MAX_PENDING_BYTES
  }

  /** Between two messages, with nothing that waits. */
  get betweenMessages(): boolean {
    return !this.#waiting && this.#left === 0 && this.#partialLength === 0 && this.#pending.length === 0
  }

  get waiting(): boolean {
    return this.#waiting
  }

  /** A message that has begun to pass passes to its end: whoever holds may wait for the answer to it. */
  get #standsStill(): boolean {
    return this.#waiting && this.#left === 0
  }

  get dead(): boolean {
    return this.#dead
  }

  // ---- the source ------------------------------------------------------------------------------------------------

  letPass(): boolean {
    return false
  }

  write(chunk: Buffer): void {
    if (this.#through) this.#through.write(chunk)
    else if (this.#dead) return
    else if (this.#standsStill) this.#keep(chunk)
    else this.#walk(chunk)
  }

  end(): void {
    if (this.#through) return this.#through.end()
    if (this.#dead) return
    this.#pendingEnd = true
    if (!this.#waiting) this.#finish()
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
    this.#pending = []
    this.#pendingBytes = 0
    this.#partial = undefined
    this.#partialLength = 0
  }

  // ---- for deciding ----------------------------------------------------------------------------------------------

  /** Writes what passes before the current message, so that something can be written between the two. */
  flush(): void {
    this.#passUpTo(this.#at)
  }

  /** To be returned as {@link Fate}.part: so many bytes of the message pass, as they come, then `end` is called. */
  protected passPart(bytes: number, end: () => void): Fate {
    this.#part = { bytes, end }
    return Fate.part
  }

  /** All that follows waits until {@link MessageFlow.resume}. */
  hold(): void {
    this.#waiting = true
  }

  /** Goes on with what has come meanwhile. */
  resume(): void {
    if (!this.#waiting || this.#dead) return
    this.#waiting = false
    this.#drain()
  }

  protected passEnd(): void {
    if (this.#partialLength > 0 && this.#partial) this.output.write(this.#partial.subarray(0, this.#partialLength))
    this.#partialLength = 0
    this.output.end()
  }

  /** From now on everything goes to `through`, what waits first. */
  passThrough(through: MessageInput | MessageOutput): void {
    if (this.#through || this.#dead) return
    this.#through = through
    if (this.#partialLength > 0 && this.#partial) through.write(this.#partial.subarray(0, this.#partialLength))
    this.#partial = undefined
    this.#partialLength = 0
    this.#waiting = false
    this.#drain()
  }

  // ---- walking ---------------------------------------------------------------------------------------------------

  #walk(chunk: Buffer): void {
    this.#chunk = chunk
    this.#from = 0
    this.#at = 0
    while (this.#at < chunk.length) {
      if (this.#left > 0) this.#body()
      else if (this.#partialLength > 0) this.#continuePartial()
      else if (!this.#next()) break
      if (this.#standsStill || this.#through || this.#dead) break
    }
    this.#passUpTo(Math.min(this.#at, chunk.length))
    const rest = this.#at < chunk.length ? chunk.subarray(this.#at) : undefined
    this.#chunk = NOTHING
    if (!rest || this.#dead) return
    if (this.#through) this.#through.write(rest)
    else if (this.#waiting) this.#keep(rest, true)
    else this.#beginPartial(rest)
  }

  /** The rest of a message whose header has been decided on. */
  #body(): void {
    const taken = Math.min(this.#left, this.#chunk.length - this.#at)
    if (!this.#leftPasses) this.#passUpTo(this.#at)
    this.#at += taken
    this.#left -= taken
    if (!this.#leftPasses) this.#from = this.#at
    this.#endPart()
  }

  #endPart(): void {
    if (!this.#part || this.#left > 0) return
    const { end } = this.#part
    this.#part = undefined
    this.flush()
    end()
  }

  /** A message that begins in this chunk. Returns false if more of it has to come first. */
  #next(): boolean {
    const chunk = this.#chunk
    const at = this.#at
    const size = this.#sizeOf(chunk, at, chunk.length)
    if (size === 0) return false
    if (size < 0) {
      this.nonsense('a message with an impossible length')
      return true
    }
    const type = this.#typeOf(chunk, at)
    if (this.wants(type, size)) {
      const end = at + size
      if (end > chunk.length) return false
      const fate = this.message(type, at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end))
      if (this.#through || this.#dead || fate === Fate.again) return true
      if (fate !== Fate.pass) {
        this.#passUpTo(at)
        this.#from = end
      }
      this.#at = end
      return true
    }
    const fate = this.header(type, size)
    if (this.#through || this.#dead || fate === Fate.again) return true
    if (fate === Fate.drop) {
      this.#passUpTo(at)
      this.#from = Math.min(at + size, chunk.length)
    }
    const end = at + (this.#part?.bytes ?? size)
    this.#left = Math.max(0, end - chunk.length)
    this.#leftPasses = fate === Fate.pass || fate === Fate.part
    this.#at = Math.min(end, chunk.length)
    this.#endPart()
    return true
  }

  #beginPartial(rest: Buffer): void {
    this.#partial = undefined
    this.#partialLength = 0
    this.#append(rest)
  }

  #append(bytes: Buffer): void {
    const length = this.#partialLength + bytes.length
    if (!this.#partial || this.#partial.length < length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(64, length * 2))
      this.#partial?.copy(larger, 0, 0, this.#partialLength)
      this.#partial = larger
    }
    bytes.copy(this.#partial, this.#partialLength)
    this.#partialLength = length
  }

  /** Adds to what has come in parts: first its header, then, if it is wanted whole, all of it. */
  #continuePartial(): void {
    const chunk = this.#chunk
    const have = this.#partial as Buffer
    let size = this.#sizeOf(have, 0, this.#partialLength)
    const wanted = size === 0 ? this.#headerBytes(have[0] as number) : size
    const taken = Math.min(wanted - this.#partialLength, chunk.length - this.#at)
    if (taken > 0) {
      this.#append(chunk.subarray(this.#at, this.#at + taken))
      this.#at += taken
      this.#from = this.#at
    }
    const partial = this.#partial as Buffer
    const length = this.#partialLength
    size = this.#sizeOf(partial, 0, length)
    if (size === 0) return
    if (size < 0) return this.nonsense('a message with an impossible length')
    const type = this.#typeOf(partial, 0)
    const whole = this.wants(type, size)
    if (whole && length < size) return
    this.#partial = undefined
    this.#partialLength = 0
    const bytes = partial.subarray(0, length)
    const fate = whole ? this.message(type, bytes) : this.header(type, size)
    if (this.#through) return this.#through.write(bytes)
    if (this.#dead) return
    if (fate === Fate.again) return this.#keep(bytes, true)
    const passes = fate === Fate.pass || fate === Fate.part
    if (passes) this.output.write(bytes)
    if (whole) return
    this.#left = (this.#part?.bytes ?? size) - length
    this.#leftPasses = passes
    this.#endPart()
  }

  /** With its header. 0 = more bytes are needed to tell, below 0 = no message. */
  #sizeOf(bytes: Buffer, at: number, end: number): number {
    if (this.shape === 'byte' && bytes[at] !== ERROR) return 1
    const header = this.#headerBytes(bytes[at] as number)
    if (end - at < header) return 0
    const length = bytes.readInt32BE(at + header - 4)
    return length < 4 ? -1 : length + header - 4
  }

  #headerBytes(first: number): number {
    if (this.shape === 'byte') return first === ERROR ? HEADER_BYTES : 1
    return this.shape === 'typed' ? HEADER_BYTES : 4
  }

  #typeOf(bytes: Buffer, at: number): number {
    return this.shape === 'startup' ? 0 : (bytes[at] as number)
  }

  #passUpTo(to: number): void {
    const chunk = this.#chunk
    if (to > this.#from) {
      this.output.write(this.#from === 0 && to === chunk.length ? chunk : chunk.subarray(this.#from, to))
    }
    this.#from = Math.max(this.#from, to)
  }

  // ---- what waits ------------------------------------------------------------------------------------------------

  #keep(chunk: Buffer, first = false): void {
    const copy = Buffer.from(chunk)
    if (first) this.#pending.unshift(copy)
    else this.#pending.push(copy)
    this.#pendingBytes += copy.length
  }

  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    while (!this.#standsStill && !this.#dead) {
      const chunk = this.#pending.shift()
      if (!chunk) break
      this.#pendingBytes -= chunk.length
      if (this.#through) this.#through.write(chunk)
      else this.#walk(chunk)
    }
    this.#draining = false
    if (this.#pendingEnd && !this.#waiting && !this.#dead) {
      if (this.#through) this.#through.end()
      else this.#finish()
    }
    this.flowChanged()
  }

  #finish(): void {
    this.#pendingEnd = false
    this.ended()
  }
}

const NOTHING = Buffer.alloc(0)

/** A server of old answers a request for encryption with an ErrorResponse. */
const ERROR = 0x45
