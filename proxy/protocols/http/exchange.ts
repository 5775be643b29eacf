// A request and its answer, from the request's head until the answer's end.
import { HttpRequest } from './request.ts'

export class Exchange {
  /** Counts the requests of the connection, from 1. */
  readonly number: number
  /** What decides on the answer's body. */
  readonly method: 'HEAD' | 'CONNECT' | 'other'
  /** The request asks for another protocol on this connection. */
  readonly upgrade: boolean
  /** The answer to HTTP/1.0 may not be chunked. */
  readonly minorVersion: number
  /** As text, a character a byte, or bytes that nobody changes, with what may come behind it. */
  readonly #head: string | Buffer
  #request: HttpRequest | undefined
  /** The request's body has come to its end. */
  requestDone = false
  /** The answer is complete, or the proxy has sent its own. */
  finished = false
  /** An answer of the proxy's own, to be sent when its turn comes. */
  answer: Buffer | undefined
  /** Behind the {@link Exchange.answer} the connection is to be closed. */
  closeAfter = false
  /** The answer is to be dropped: nobody has asked for it. */
  swallow = false
  /** The proxy has sent 100 Continue itself, so that the server's is dropped. */
  continued = false

  constructor(
    number: number,
    head: string | Buffer,
    facts: { method: 'HEAD' | 'CONNECT' | 'other'; upgrade: boolean; minorVersion: number },
  ) {
    this.number = number
    this.method = facts.method
    this.upgrade = facts.upgrade
    this.minorVersion = facts.minorVersion
    this.#head = head
  }

  /** The connection may speak another protocol behind the answer. */
  get mayTunnel(): boolean {
    return this.upgrade || this.method === 'CONNECT'
  }

  /** What the client gets is not just what the server answers, or not HTTP. */
  get special(): boolean {
    return this.mayTunnel || this.answer !== undefined || this.swallow || this.continued
  }

  /** Parsed when first looked at. */
  get request(): HttpRequest {
    return (this.#request ??= new HttpRequest(headText(this.#head)))
  }

  /** The same request sent once more. */
  again(): Exchange {
    const copy = new Exchange(this.number, this.#head, this)
    copy.swallow = true
    copy.requestDone = true
    return copy
  }
}

function headText(head: string | Buffer): string {
  if (typeof head === 'string') return head
  const text = head.toString('latin1')
  const end = /\r?\n\r?\n/.exec(text)
  return end ? text.slice(0, end.index + end[0].length) : text
}
