// Reads the head of an HTTP/1.x message for what says where the message ends (RFC 9112 section 6.3), and nothing else.
import { COLON, CR, digit, isBlank, isTokenByte, LF, SPACE, TAB, trimBlanks } from './wire-bytes.ts'

/** How the end of a body is known. */
export type BodyKind = 'none' | 'length' | 'chunked' | 'close'

/** What decides on an answer's body (RFC 9110 section 9.3). */
export type MethodKind = 'HEAD' | 'CONNECT' | 'other'

export const MAX_HEADERS = 1000

const HTTP_1 = 'HTTP/1.'

/** Why a head could not be understood; thrown inside only. */
class Opaque {
  readonly reason: string

  constructor(reason: string) {
    this.reason = reason
  }
}

export class HeadReader {
  readonly #isRequest: boolean
  /** Of a response: the method that it answers. To be set before its head is read. */
  answers: MethodKind = 'other'

  // What the last head said.
  body: BodyKind = 'none'
  /** -1 = none. */
  contentLength = -1
  /** Of a response. */
  status = 0
  /** Of a request. */
  method: MethodKind = 'other'
  /** 0 or 1, of HTTP/1.x. */
  minorVersion = 1
  /** There is an Upgrade header that Connection names (RFC 9110 section 7.8). */
  upgrade = false
  /** Why a head could not be understood. */
  reason = ''

  // Of the head that is being read.
  #transfer: Transfer = Transfer.absent
  #upgradeHeader = false
  #connectionUpgrade = false
  /** The line before frames the body, so that it must not go on in this one. */
  #framingLine = false

  constructor(kind: 'request' | 'response') {
    this.#isRequest = kind === 'request'
  }

  /**
   * Reads a whole head. Returns where it ends, 0 if its end is not in `buffer`, -1 if it is opaque.
   *
   * One pass in JavaScript: for heads of this size it is as fast as a search for each line end. Lines are
   * parsed by a function of their own so that V8 compiles this loop tightly, which halves the time of a usual head.
   */
  read(buffer: Buffer, from: number): number {
    try {
      return this.#read(buffer, from)
    } catch (error) {
      return this.#failed(error)
    }
  }

  /** Whether what has come of a head can become one: the bytes of another protocol need not wait for an empty line. */
  canBecomeHead(part: Buffer): boolean {
    return this.#isRequest ? this.#canBecomeRequest(part) : this.#canBecomeResponse(part)
  }

  /** Whether the first line, which lasts until `to`, can be the beginning of a head. */
  readStartLine(buffer: Buffer, to: number): boolean {
    try {
      this.#parseStartLine(buffer, 0, to > 0 && buffer[to - 1] === CR ? to - 1 : to)
      return true
    } catch (error) {
      this.#failed(error)
      return false
    }
  }

  #failed(error: unknown): -1 {
    if (!(error instanceof Opaque)) throw error
    this.reason = error.reason
    return -1
  }

  #canBecomeRequest(part: Buffer): boolean {
    const length = Math.min(part.length, 16)
    for (let index = 0; index < length; index++) {
      const byte = part[index] as number
      if (byte === SPACE && index > 0) return true
      if (isTokenByte(byte)) continue
      this.reason = whatItIs(part, 0, NO_REQUEST)
      return false
    }
    return true
  }

  #canBecomeResponse(part: Buffer): boolean {
    const length = Math.min(part.length, HTTP_1.length)
    for (let index = 0; index < length; index++) {
      if (part[index] === HTTP_1.charCodeAt(index)) continue
      this.reason = NO_RESPONSE
      return false
    }
    return true
  }

  #read(buffer: Buffer, from: number): number {
    const length = buffer.length
    let lineStart = from
    let lines = 0
    this.contentLength = -1
    this.body = 'none'
    this.#transfer = Transfer.absent
    this.#upgradeHeader = this.#connectionUpgrade = this.#framingLine = false
    for (let at = from; ; at++) {
      // Four at a time: measured a quarter off the whole pass.
      while (
        at < length - 4 &&
        (buffer[at] as number) > CR &&
        (buffer[at + 1] as number) > CR &&
        (buffer[at + 2] as number) > CR &&
        (buffer[at + 3] as number) > CR
      ) {
        at += 4
      }
      while (at < length && (buffer[at] as number) > CR) at++
      if (at >= length) return 0
      if (buffer[at] === CR) {
        // A CR without its LF ends a line for some readers.
        if (at + 1 < length && buffer[at + 1] !== LF) throw new Opaque('a CR without LF in a head')
        continue
      }
      if (buffer[at] !== LF) continue
      const lineEnd = at > lineStart && buffer[at - 1] === CR ? at - 1 : at
      if (lines++ === 0) this.#parseStartLine(buffer, lineStart, lineEnd)
      else if (lineEnd === lineStart) {
        this.upgrade = this.#upgradeHeader && this.#connectionUpgrade
        this.#decideBody(this.#transfer)
        return at + 1
      } else if (isFramingLetter(buffer[lineStart] as number)) this.#parseLine(buffer, lineStart, lineEnd, lines)
      else this.#framingLine = false
      if (lines > MAX_HEADERS + 1) throw new Opaque(`more than ${MAX_HEADERS} headers`)
      lineStart = at + 1
    }
  }

  /** Only headers that say where messages end. */
  #parseLine(buffer: Buffer, from: number, to: number, lines: number): void {
    const first = buffer[from] as number
    if (first === SPACE || first === TAB) {
      if (lines === 2) throw new Opaque('a blank before the first header')
      if (this.#framingLine) throw new Opaque('a folded header that frames the body')
      return
    }
    this.#framingLine = false
    switch (first | 0x20) {
      case 0x63: // c, but not Content-Type; what an answer upgrades to its status tells
        if (((buffer[from + 8] as number) | 0x20) === 0x6c) {
          if (nameIs(buffer, from, to, 'content-length')) this.#parseContentLength(buffer, from + 15, to)
        } else if (this.#isRequest && nameIs(buffer, from, to, 'connection')) {
          this.#framingLine = true
          this.#connectionUpgrade ||= hasToken(buffer, from + 11, to, 'upgrade')
        }
        break
      case 0x74: // t
        if (nameIs(buffer, from, to, 'transfer-encoding')) {
          this.#framingLine = true
          this.#transfer = parseTransferEncoding(buffer, from + 18, to, this.#transfer)
        }
        break
      case 0x75: // u
        if (nameIs(buffer, from, to, 'upgrade')) this.#framingLine = this.#upgradeHeader = true
        break
      default:
    }
  }

  #parseStartLine(buffer: Buffer, from: number, to: number): void {
    const version = this.#isRequest ? to - 8 : from
    if (!isHttp1(buffer, version)) {
      throw new Opaque(whatItIs(buffer, from, this.#isRequest ? NO_REQUEST : NO_RESPONSE))
    }
    const minor = (buffer[version + 7] as number) - 0x30
    if (minor !== 0 && minor !== 1) throw new Opaque('a version other than HTTP/1.0 and 1.1')
    this.minorVersion = minor
    if (this.#isRequest) this.#parseMethod(buffer, from, version)
    else this.#parseStatus(buffer, from, to)
  }

  #parseMethod(buffer: Buffer, from: number, version: number): void {
    let at = from
    while (at < version && isTokenByte(buffer[at] as number)) at++
    // METHOD SP target SP version; what the target is made of does not matter here.
    if (at === from || buffer[at] !== SPACE || version - at < 3 || buffer[version - 1] !== SPACE) {
      throw new Opaque(NO_REQUEST)
    }
    const bytes = at - from
    if (bytes === 4 && startsWith(buffer, from, 'HEAD')) this.method = 'HEAD'
    else this.method = bytes === 7 && startsWith(buffer, from, 'CONNECT') ? 'CONNECT' : 'other'
  }

  #parseStatus(buffer: Buffer, from: number, to: number): void {
    let status = 0
    for (let at = from + 9; at < from + 12; at++) status = status * 10 + digit(buffer[at] as number)
    const separated = buffer[from + 8] === SPACE && (to - from === 12 || buffer[from + 12] === SPACE)
    if (to - from < 12 || !separated || !(status >= 100)) {
      throw new Opaque('a status line without a status of three digits')
    }
    this.status = status
  }

  #parseContentLength(buffer: Buffer, from: number, to: number): void {
    if (this.contentLength >= 0) throw new Opaque('more than one Content-Length')
    this.#framingLine = true
    let start = from
    let end = to
    while (start < end && isBlank(buffer[start] as number)) start++
    while (end > start && isBlank(buffer[end - 1] as number)) end--
    let value = 0
    for (let at = start; at < end; at++) value = value * 10 + digit(buffer[at] as number)
    // 15 digits: a number that is exact here, and a petabyte.
    if (start === end || end - start > 15 || !(value >= 0)) throw new Opaque('a Content-Length that is no number')
    this.contentLength = value
  }

  #decideBody(transfer: Transfer): void {
    if (transfer !== Transfer.absent && this.contentLength >= 0) {
      throw new Opaque('both Content-Length and Transfer-Encoding')
    }
    if (transfer !== Transfer.absent && this.minorVersion === 0) throw new Opaque('a Transfer-Encoding in HTTP/1.0')
    this.body = this.#isRequest ? this.#bodyOfRequest(transfer) : this.#bodyOfResponse(transfer)
  }

  #bodyOfRequest(transfer: Transfer): BodyKind {
    const hasBody = transfer !== Transfer.absent || this.contentLength > 0
    // The bytes behind it are a tunnel's already for some readers (RFC 9110 section 9.3.6).
    if (hasBody && this.method === 'CONNECT') throw new Opaque('a CONNECT with a body')
    if (transfer === Transfer.other) {
      throw new Opaque('a Transfer-Encoding of a request that does not end with chunked')
    }
    if (!hasBody) return 'none'
    return transfer === Transfer.chunked ? 'chunked' : 'length'
  }

  #bodyOfResponse(transfer: Transfer): BodyKind {
    const { status, answers } = this
    if (answers === 'HEAD' || (answers === 'CONNECT' && status >= 200 && status < 300)) return 'none'
    if (status < 200 || status === 204 || status === 304) {
      // By the RFC it ends here all the same; llhttp, for one, looks for the body.
      const claimsBody = transfer === Transfer.chunked || this.contentLength > 0
      if (transfer === Transfer.other || (status < 200 && claimsBody)) {
        throw new Opaque('an answer that can have no body and says that it has one')
      }
      return 'none'
    }
    if (transfer === Transfer.chunked) return 'chunked'
    if (transfer === Transfer.other || this.contentLength < 0) return 'close'
    return this.contentLength === 0 ? 'none' : 'length'
  }
}

const NO_REQUEST = 'not a request of HTTP/1.x'
const NO_RESPONSE = 'not an answer of HTTP/1.x'

/** A better word for other protocols that are often sent to the wrong port. */
function whatItIs(buffer: Buffer, from: number, otherwise: string): string {
  if (buffer[from] === TLS_HANDSHAKE) return 'TLS'
  // The preface that has been made to look like a request (RFC 9113 section 3.4).
  return startsWith(buffer, from, 'PRI * HTTP/2.0') ? 'HTTP/2' : otherwise
}

/** The first byte of TLS (RFC 8446 section 5.1). */
const TLS_HANDSHAKE = 0x16

const Transfer = { absent: 0, chunked: 1, other: 2 } as const
type Transfer = (typeof Transfer)[keyof typeof Transfer]

/** RFC 9112 section 6.1. Codings other than a final `chunked` make a body last until the connection ends. */
function parseTransferEncoding(buffer: Buffer, from: number, to: number, before: Transfer): Transfer {
  const codings = listOf(buffer, from, to)
  const chunkedAt = codings.indexOf('chunked')
  const chunkedTwice = before === Transfer.chunked || (chunkedAt >= 0 && chunkedAt < codings.length - 1)
  if (chunkedTwice) throw new Opaque('a Transfer-Encoding behind chunked')
  if (chunkedAt >= 0) return Transfer.chunked
  if (codings.some((coding) => coding.includes('chunked'))) throw new Opaque('a Transfer-Encoding like chunked')
  return Transfer.other
}

function hasToken(buffer: Buffer, from: number, to: number, token: string): boolean {
  // Most values (`keep-alive`, `close`) do not even have the letter, and this is asked of most heads.
  const letter = token.charCodeAt(0)
  let at = from
  while (at < to && ((buffer[at] as number) | 0x20) !== letter) at++
  if (at === to) return false
  return listOf(buffer, from, to).includes(token)
}

/** The elements of a comma-separated value, lower-case. */
function listOf(buffer: Buffer, from: number, to: number): string[] {
  return buffer.toString('latin1', from, to).toLowerCase().split(',').map(trimBlanks)
}

/** Whether the line is a header of this (lower-case) name. What some readers take for it and others don't is opaque. */
function nameIs(buffer: Buffer, from: number, to: number, name: string): boolean {
  const end = from + name.length
  if (to < end) return false
  for (let index = 0; index < name.length; index++) {
    if (((buffer[from + index] as number) | 0x20) !== name.charCodeAt(index)) return false
  }
  if (to === end) throw new Opaque('a header that frames the body without a colon')
  const next = buffer[end] as number
  if (next <= SPACE) throw new Opaque('a blank between a header and its colon')
  return next === COLON
}

/** What headers that frame bodies and folded lines begin with: rare enough to skip most lines at a glance. */
function isFramingLetter(byte: number): boolean {
  const letter = byte | 0x20
  return letter === 0x63 || letter === 0x74 || letter === 0x75 || byte <= SPACE
}

/** `HTTP/1.`, letter by letter: it is asked of every head. */
function isHttp1(buffer: Buffer, at: number): boolean {
  return (
    buffer[at] === 0x48 &&
    buffer[at + 1] === 0x54 &&
    buffer[at + 2] === 0x54 &&
    buffer[at + 3] === 0x50 &&
    buffer[at + 4] === 0x2f &&
    buffer[at + 5] === 0x31 &&
    buffer[at + 6] === 0x2e
  )
}

function startsWith(buffer: Buffer, from: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) if (buffer[from + index] !== text.charCodeAt(index)) return false
  return true
}
