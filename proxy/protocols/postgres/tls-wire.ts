// The encrypted side of a TLS end as the stream that Node's TLS wants: a bridge to calls, with backpressure, no logic.
import { Duplex } from 'node:stream'
import type { Signal } from '../../faults/stage.ts'
import type { MessageOutput } from '../protocol.ts'

/** Good ways for a stream to end: FIN this way, or FIN both ways. */
export type EndSignal = Exclude<Signal, 'reset'>

type WriteCallback = (error?: Error | null) => void

export class TlsWire extends Duplex {
  readonly #output: MessageOutput
  #requested: EndSignal = 'end'
  #sent: EndSignal | undefined
  /** Set while the output is full: calling it asks for the next bytes. */
  #goOn: WriteCallback | undefined

  constructor(output: MessageOutput) {
    // Destroyed by the TLS socket alone: it may still have to read when both directions of the wire have ended.
    super({ allowHalfOpen: true, autoDestroy: false })
    this.#output = output
  }

  /** The whole connection has been told to close. */
  get closeSent(): boolean {
    return this.#sent === 'close'
  }

  /** Says what becomes of the connection once everything has been written. A close may still follow an end. */
  finishWith(signal: EndSignal): void {
    if (this.#sent) this.finishNow(signal)
    else if (this.#requested !== 'close') this.#requested = signal
  }

  /** Does not wait for what is to be written. */
  finishNow(signal: EndSignal): void {
    if (this.#sent === 'close' || this.#sent === signal) return
    this.#sent = signal
    this.#output[signal]()
  }

  /** To be called when the output takes bytes again. */
  drained(): void {
    const goOn = this.#goOn
    this.#goOn = undefined
    goOn?.()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#output.write(chunk)
    if (this.#output.full) this.#goOn = callback
    else callback()
  }

  override _final(callback: WriteCallback): void {
    this.finishNow(this.#requested)
    callback()
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.#goOn = undefined
    callback(error)
  }
}
