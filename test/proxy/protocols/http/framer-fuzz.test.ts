// The framer against Node's own parser and against messages whose borders are known by construction.
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { httpLimits } from '../../../../proxy/protocols/http/framer.ts'
import { streams } from '../../../support/http-arbitraries.ts'
import { cutAt, essence, frame, inBytes, type Found, type Framing } from '../../../support/http-framing.ts'
import { broken, type Wire } from '../../../support/http-mutations.ts'
import { parseByNode, type Parsed } from '../../../support/http-node-parser.ts'
import { ambiguous, understood } from './corpus.ts'

const LONG = process.env['FAULTLINE_LONG'] ? 10 : 1
/** The same ones in each run, but for those who look for new ones. A failure prints the smallest. */
const SEED = Number(process.env['FAULTLINE_FUZZ_SEED'] ?? 20_251_121)

vi.setConfig({ testTimeout: 15_000 * LONG })

const runs = (count: number) => ({ numRuns: count * LONG, seed: SEED })

/** Valid messages. */
const anyStream = fc.oneof(streams('plain'), streams('odd'))

const corpus: readonly Wire[] = [...understood, ...ambiguous]
  .filter(({ bytes }) => bytes.length < 2000)
  .map(({ kind, bytes, answers = [] }) => ({ kind, bytes, answers }))

function framed({ kind, bytes, answers }: Wire, chunks: readonly Buffer[] = [bytes]): Framing {
  return frame(kind, chunks, { answers })
}

function refusedByNode({ kind, bytes, answers }: Wire): boolean {
  return parseByNode(kind, bytes, { answers }).error !== undefined
}

/** Where the framer says something else than Node's parser about the same bytes; undefined = nowhere. */
function disagreement({ kind, bytes, answers }: Wire): string | undefined {
  const node = parseByNode(kind, bytes, { answers })
  const ours = frame(kind, [bytes], { answers, stopAtUpgrade: true })
  for (const [index, theirs] of node.messages.entries()) {
    const found = ours.messages[index]
    if (!found) return ours.opaque === undefined ? `message ${index} was not found` : undefined
    const what = disagreementOn(theirs, found, ours, node)
    if (what !== undefined) return `message ${index}: ${what}`
    if (found.endsAt === undefined) return undefined
  }
  const surplus = ours.messages.length - node.messages.length
  if (node.error !== undefined || surplus === 0) return undefined
  return `${surplus} messages more than Node's`
}

function disagreementOn(theirs: Parsed['messages'][number], found: Found, ours: Framing, node: Parsed) {
  if (theirs.headTo !== found.headTo) return `the head ends at ${found.headTo}, Node's at ${theirs.headTo}`
  // Node leaves a connection that is upgraded right behind the head, RFC 9110 section 7.8 behind the body.
  if (node.upgradedAt === theirs.headTo && found.body !== 'none') return undefined
  if (found.endsAt === undefined && ours.opaque !== undefined) {
    return theirs.content.startsWith(found.content) ? undefined : `content ${found.content}, Node's ${theirs.content}`
  }
  if (theirs.endsAt === undefined && node.error !== undefined) {
    // Node has refused something in the body, what it has seen of it before must be the same.
    return found.content.startsWith(theirs.content) ? undefined : `content ${found.content}, Node's ${theirs.content}`
  }
  if (theirs.content !== found.content) return `content ${found.content}, Node's ${theirs.content}`
  if (theirs.endsAt !== found.endsAt) return `it ends at ${found.endsAt}, Node's at ${theirs.endsAt}`
  return undefined
}

describe("against Node's parser", () => {
  test('every sample of the corpus has the same borders, or is opaque, or is refused by Node', () => {
    for (const sample of corpus) expect(disagreement(sample), sample.bytes.toString('latin1')).toBeUndefined()
  })

  test('Node accepts enough of the samples for this to mean something', () => {
    const accepted = corpus.filter((sample) => !refusedByNode(sample))
    expect(accepted.length).toBeGreaterThan(40)
  })

  test('valid messages have the same borders', () => {
    let accepted = 0
    fc.assert(
      fc.property(anyStream, (stream) => {
        if (!refusedByNode(stream)) accepted++
        expect(disagreement(stream)).toBeUndefined()
      }),
      runs(1000),
    )
    // Node refuses whatever is odd, so those prove little.
    expect(accepted).toBeGreaterThan(400 * LONG)
  })

  test('broken messages have the same borders, or are opaque, or are refused by Node', () => {
    let accepted = 0
    fc.assert(
      fc.property(broken(streams('plain')), (wire) => {
        if (!refusedByNode(wire)) accepted++
        expect(disagreement(wire)).toBeUndefined()
      }),
      runs(3000),
    )
    expect(accepted).toBeGreaterThan(500 * LONG)
  })

  test('so do samples of the corpus that have been broken', () => {
    fc.assert(
      fc.property(broken(fc.constantFrom(...corpus)), (wire) => {
        expect(disagreement(wire)).toBeUndefined()
      }),
      runs(2000),
    )
  })
})

describe('by construction', () => {
  test('valid messages are found where they were put, and never opaque', () => {
    fc.assert(
      fc.property(anyStream, (stream) => {
        const { messages, opaque } = framed(stream)
        expect(opaque).toBeUndefined()
        expect(
          messages.map(({ headFrom, headTo, content, endsAt }) => ({ headFrom, headTo, content, endsAt })),
        ).toEqual(stream.messages)
      }),
      runs(2000),
    )
  })

  test('cut at every byte, they are the same', () => {
    fc.assert(
      fc.property(anyStream, (stream) => {
        const whole = essence(framed(stream))
        for (let cut = 1; cut < stream.bytes.length; cut++) {
          expect(essence(framed(stream, cutAt(stream.bytes, [cut])))).toEqual(whole)
        }
        expect(essence(framed(stream, inBytes(stream.bytes)))).toEqual(whole)
      }),
      runs(60),
    )
  })

  test('cut anywhere, they are the same', () => {
    const cuts = fc.array(fc.nat(1000), { maxLength: 10 })
    fc.assert(
      fc.property(anyStream, cuts, (stream, places) => {
        expect(essence(framed(stream, cutAt(stream.bytes, places)))).toEqual(essence(framed(stream)))
      }),
      runs(2000),
    )
  })
})

describe('whatever comes', () => {
  const anything: fc.Arbitrary<Wire> = fc.record({
    kind: fc.constantFrom('request' as const, 'response' as const),
    bytes: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    answers: fc.constant([]),
  })
  const hostile = fc.oneof(anything, broken(anyStream), broken(fc.constantFrom(...corpus)))

  test('nothing throws, every call gets somewhere, and cuts change nothing', () => {
    const cuts = fc.array(fc.nat(500), { maxLength: 6 })
    fc.assert(
      fc.property(hostile, cuts, (wire, places) => {
        // frame() checks each piece.
        const whole = framed(wire)
        const parts = framed(wire, cutAt(wire.bytes, places))
        // In parts it may take longer to see that a head is opaque, as each byte is looked at only once.
        const seenLater = whole.opaque !== undefined && parts.pendingHead !== ''
        if (!seenLater) expect(parts.opaque !== undefined).toBe(whole.opaque !== undefined)
        if (whole.opaque === undefined) expect(essence(parts)).toEqual(essence(whole))
        else expect(parts.messages).toEqual(whole.messages)
      }),
      runs(3000),
    )
  })

  test('no more than a head is held', () => {
    const part = fc.constantFrom('a', ' ', '\r\n', ':', 'X: y\r\n', '\n ', 'x'.repeat(3000), '\r\n x', '1', ';')
    const start = fc.constantFrom('', 'GET / HTTP/1.1\r\n', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n')
    fc.assert(
      fc.property(start, fc.array(part, { minLength: 1, maxLength: 5 }), (first, parts) => {
        const round = Buffer.from(parts.join(''))
        const rounds = Math.ceil(100_000 / round.length)
        const { pendingHead } = frame('request', [Buffer.from(first), ...Array.from({ length: rounds }, () => round)])
        expect(pendingHead.length).toBeLessThanOrEqual(httpLimits.maxHeadBytes)
      }),
      runs(50),
    )
  })
})
