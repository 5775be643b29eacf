// Runs bytes through the framer as a connection would, and writes down what it finds.
import { HttpFramer, Piece, type BodyKind, type MethodKind } from '../../proxy/protocols/http/framer.ts'

export type MessageKind = 'request' | 'response'

/** One message as far as it came. Borders are offsets into all bytes. */
export interface Found {
  readonly headFrom: number
  readonly headTo: number
  readonly head: string
  readonly body: BodyKind
  content: string
  /** Where it ends; undefined if its end has not come. */
  endsAt: number | undefined
}

export interface Framing {
  readonly messages: readonly Found[]
  /** Why nothing more could be understood. */
  readonly opaque: string | undefined
  /** Where that begins: everything before has been told apart. */
  readonly opaqueAt: number | undefined
  /** Bytes of a head that has no end yet. */
  readonly pendingHead: string
  /** Bytes of each kind of piece. */
  readonly pieceBytes: Readonly<Record<keyof typeof Piece, number>>
}

export interface FrameOptions {
  /** Of responses: the methods that they answer, in order; `other` where the list ends. */
  readonly answers?: readonly MethodKind[] | undefined
  /** The source ends behind the last chunk. */
  readonly finish?: boolean
  /** Stops at a head that may turn the connection into something else, as both ends do. */
  readonly stopAtUpgrade?: boolean
}

const NAMES = Object.keys(Piece) as (keyof typeof Piece)[]

/**
 * Fails if the framer does not account for every byte, in order, or does not get anywhere.
 *
 * @param chunks each is given to the framer in memory that is overwritten when the framer is done with it
 */
export function frame(kind: MessageKind, chunks: readonly Buffer[], options: FrameOptions = {}): Framing {
  const framer = new HttpFramer(kind)
  const { answers = [], finish = true, stopAtUpgrade = false } = options
  const messages: Found[] = []
  const pieceBytes = Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<keyof typeof Piece, number>
  let position = 0
  let headParts = 0
  let stopped = false
  let opaqueAt: number | undefined

  const take = (chunk: Buffer, at: number, to: number): void => {
    const last = messages.at(-1)
    pieceBytes[NAMES[framer.piece] ?? 'none'] += to - at
    switch (framer.piece) {
      case Piece.headPart:
        headParts += to - at
        return
      case Piece.head: {
        const headTo = position + to
        const { head, body } = framer
        if (framer.headText !== head.toString('latin1')) throw new Error('headText is not the head')
        messages.push({
          headFrom: position + at - headParts,
          headTo,
          head: framer.headText,
          body,
          content: '',
          endsAt: undefined,
        })
        headParts = 0
        return
      }
      case Piece.data:
        if (last) last.content += chunk.toString('latin1', at, to)
        return
      case Piece.end:
        if (to !== at) throw new Error('an end has bytes')
        if (last) last.endsAt = position + at
        stopped = stopAtUpgrade && turns(framer, kind)
        if (isFinal(framer, kind)) framer.answers = answers[finals(messages, kind)] ?? 'other'
        return
      default:
    }
  }

  framer.answers = answers[0] ?? 'other'
  for (const lent of chunks) {
    const chunk = Buffer.from(lent)
    let at = 0
    let idle = 0
    for (;;) {
      const to = framer.next(chunk, at)
      if (to < at || to > chunk.length) throw new Error(`a piece from ${at} to ${to} of ${chunk.length} bytes`)
      if (framer.piece === Piece.opaque) {
        opaqueAt ??= position + at - headParts
        break
      }
      take(chunk, at, to)
      if (framer.piece === Piece.none) {
        if (to !== chunk.length) throw new Error('nothing found, and yet something is left')
        break
      }
      // An end and a head may come without moving on, but not one after the other for ever.
      idle = to === at ? idle + 1 : 0
      if (idle > 2) throw new Error('the framer does not get anywhere')
      at = to
      if (stopped) break
    }
    position += chunk.length
    if (opaqueAt !== undefined || stopped) break
    chunk.fill(0xff)
  }
  if (finish && opaqueAt === undefined && framer.finish()) {
    const last = messages.at(-1)
    if (last) last.endsAt = position
  }
  const opaque = opaqueAt === undefined ? undefined : framer.reason
  return { messages, opaque, opaqueAt, pendingHead: framer.pendingHead.toString('latin1'), pieceBytes }
}

/** Whether both ends may speak another protocol behind the message that has just ended. */
function turns(framer: HttpFramer, kind: MessageKind): boolean {
  if (kind === 'request') return framer.upgrade || framer.method === 'CONNECT'
  return framer.status === 101 || (framer.answers === 'CONNECT' && framer.status >= 200 && framer.status < 300)
}

function isFinal({ status }: HttpFramer, kind: MessageKind): boolean {
  return kind === 'response' && status >= 200
}

/** How many final answers have come. */
function finals(messages: readonly Found[], kind: MessageKind): number {
  if (kind === 'request') return 0
  return messages.filter(({ head, endsAt }) => endsAt !== undefined && !head.startsWith('1', 9)).length
}

// ---- cutting -------------------------------------------------------------------------------------------------------

/** The bytes in pieces that begin at `cuts`. */
export function cutAt(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const borders = [0, ...cuts.filter((cut) => cut > 0 && cut < bytes.length).toSorted((a, b) => a - b), bytes.length]
  return borders.slice(1).map((to, index) => bytes.subarray(borders[index], to))
}

export function inBytes(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_byte, index) => bytes.subarray(index, index + 1))
}

/** What must not depend on where the bytes are cut. Of opaque ones only what came before. */
export function essence({ messages, opaque, pendingHead, pieceBytes }: Framing): unknown {
  if (opaque !== undefined) return { messages }
  const { skipped, data, framing, last } = pieceBytes
  const headBytes = pieceBytes.headPart + pieceBytes.head
  return { messages, pendingHead, pieceBytes: { skipped, headBytes, data, framing, last } }
}
