// The framer by examples: every rule of RFC 9112 that says where messages begin and end, and every case that it leaves
// to no reader's guess.
import { describe, expect, test } from 'vitest'
import { HttpFramer, httpLimits, Piece } from '../../../../proxy/protocols/http/framer.ts'
import { cutAt, essence, frame, inBytes } from '../../../support/http-framing.ts'
import { ambiguous, understood, type Sample } from './corpus.ts'

/** What a sample says, in the words of {@link describeFraming}. */
function expectation({ messages, unfinished = false, opaque }: Sample) {
  return { messages, unfinished, opaque }
}

function describeFraming({ kind, bytes, answers }: Sample, chunks: readonly Buffer[] = [bytes]) {
  const { messages, opaque, pendingHead } = frame(kind, chunks, { answers })
  const open = messages.some(({ endsAt }) => endsAt === undefined)
  return {
    messages: messages.map(({ body, content }) => [body, content]),
    unfinished: opaque === undefined && (open || pendingHead !== ''),
    opaque,
  }
}

describe('what every reader understands the same', () => {
  test.each(understood.map((sample) => [sample.name, sample] as const))('%s', (_name, sample) => {
    expect(describeFraming(sample)).toEqual(expectation(sample))
  })

  test('every byte belongs to one piece, and pieces come in order', () => {
    for (const { kind, bytes, answers } of understood) {
      const { messages, pieceBytes } = frame(kind, [bytes], { answers })
      const total = Object.values(pieceBytes).reduce((sum, each) => sum + each, 0)
      expect(total).toBe(bytes.length)
      let end = 0
      for (const { headFrom, headTo, endsAt } of messages) {
        expect(headFrom).toBeGreaterThanOrEqual(end)
        expect(headTo).toBeGreaterThan(headFrom)
        end = endsAt ?? bytes.length
        expect(end).toBeGreaterThanOrEqual(headTo)
      }
    }
  })

  test('what is content and what is framing is told apart', () => {
    const chunks = ['3;a\r\n', 'abc', '\r\n0\r\n', 'X: 1\r\n\r\n']
    const head = 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(frame('request', [Buffer.from(head + chunks.join(''))]).pieceBytes).toMatchObject({
      head: head.length,
      framing: chunks[0]!.length + chunks[2]!.length,
      data: chunks[1]!.length,
      last: chunks[3]!.length,
    })
  })
})

describe('what readers could understand differently is opaque', () => {
  test.each(ambiguous.map((sample) => [sample.name, sample] as const))('%s', (_name, sample) => {
    expect(describeFraming(sample)).toEqual(expectation(sample))
  })

  test('for good: nothing that follows is looked at', () => {
    const framer = new HttpFramer('request')
    const nonsense = Buffer.from('nonsense\r\n\r\n')
    expect([framer.next(nonsense, 0), framer.piece]).toEqual([0, Piece.opaque])
    const good = Buffer.from('GET / HTTP/1.1\r\n\r\n')
    expect([framer.next(good, 0), framer.piece]).toEqual([good.length, Piece.opaque])
    expect([framer.next(good, good.length), framer.piece]).toEqual([good.length, Piece.none])
    expect(framer.reason).toBe('not a request of HTTP/1.x')
  })

  test('as soon as the first bytes or the first line say so, so that nobody waits for the rest', () => {
    const early = ['\x16', '\0\0\0\x54', 'EHLO example.com\r\n', 'GET /\r\n', 'PRI * HTTP/2.0\r\n']
    for (const text of early) expect(frame('request', inBytes(Buffer.from(text))).opaque, text).toBeDefined()
    for (const text of ['2', 'SSH-2.0-OpenSSH', 'HTTP/2', 'HTTP/1.1 xxx\n']) {
      expect(frame('response', inBytes(Buffer.from(text))).opaque, text).toBeDefined()
    }
  })
})

describe('what a head says', () => {
  test.each([
    ['HEAD', 'HEAD'],
    ['CONNECT', 'CONNECT'],
    ['GET', 'other'],
    ['head', 'other'], // methods are case-sensitive (RFC 9110 section 9.1)
    ['HEADS', 'other'],
    ['PATCHED', 'other'], // as long as CONNECT
  ])('the method %s is %s', (method, kind) => {
    expect(afterHead('request', `${method} / HTTP/1.1\r\n\r\n`).method).toBe(kind)
  })

  test.each([
    ['Connection: Upgrade\r\nUpgrade: websocket', true],
    ['connection: a , UPGRADE\t, b\r\nupgrade: x', true],
    ['Connection: a\r\nConnection: upgrade\r\nUpgrade: x', true],
    ['Upgrade: x', false],
    ['Connection: upgrade', false],
    ['Connection: upgrades\r\nUpgrade: x', false],
  ])('of %j: upgrade is %s', (headers, upgrade) => {
    expect(afterHead('request', `GET / HTTP/1.1\r\n${headers}\r\n\r\n`).upgrade).toBe(upgrade)
  })

  test('nothing of one message stays for the next', () => {
    const framer = afterHead(
      'request',
      'CONNECT a HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n',
    )
    expect(framer).toMatchObject({ method: 'CONNECT', upgrade: true, minorVersion: 0, contentLength: 0 })
    const next = Buffer.from('GET / HTTP/1.1\r\n\r\n')
    framer.next(next, 0) // the end
    framer.next(next, 0)
    expect(framer).toMatchObject({ method: 'other', upgrade: false, minorVersion: 1, body: 'none' })
  })

  test('a status and whether there is a body', () => {
    expect(afterHead('response', 'HTTP/1.0 418 Teapot\r\nContent-Length: 7\r\n\r\n')).toMatchObject({
      status: 418,
      minorVersion: 0,
      body: 'length',
      contentLength: 7,
    })
    expect(afterHead('response', 'HTTP/1.1 299 x\r\nContent-Length: 7\r\n\r\n', 'CONNECT').body).toBe('none')
    expect(afterHead('response', 'HTTP/1.1 300 x\r\nContent-Length: 7\r\n\r\n', 'CONNECT').body).toBe('length')
  })
})

describe('cut anywhere', () => {
  const short = [...understood, ...ambiguous].filter(({ bytes }) => bytes.length < 1000)

  test.each(short.map((sample) => [sample.name, sample] as const))('%s: at every byte', (_name, sample) => {
    const { kind, bytes, answers } = sample
    const whole = essence(frame(kind, [bytes], { answers }))
    for (let cut = 1; cut < bytes.length; cut++) {
      expect(essence(frame(kind, cutAt(bytes, [cut]), { answers })), `cut at ${cut}`).toEqual(whole)
    }
    expect(essence(frame(kind, inBytes(bytes), { answers }))).toEqual(whole)
    expect(describeFraming(sample, inBytes(bytes)).opaque).toBe(sample.opaque)
  })

  test('a long head in bytes', () => {
    const sample = understood.find(({ name }) => name === 'the longest head')!
    const whole = essence(frame(sample.kind, [sample.bytes]))
    expect(essence(frame(sample.kind, inBytes(sample.bytes)))).toEqual(whole)
  })
})

describe('limits', () => {
  test.each(['a', 'a\n', 'a: b\r\n', '\r\n a'])('a head of %j without an end is kept up to its limit', (line) => {
    const framer = new HttpFramer('request')
    feed(framer, Buffer.from('GET / HTTP/1.1\r\nX: '), 1)
    feed(framer, Buffer.from(line.repeat(1000)), 1000)
    expect(framer.piece).toBe(Piece.opaque)
    // The memory behind it, not only what is used of it.
    expect(framer.pendingHead.buffer.byteLength).toBeLessThanOrEqual(httpLimits.maxHeadBytes)
  })

  test('what was taken of a head that turned out to be opaque can be passed on', () => {
    const parts = ['GET / HTTP/1.1\r\nContent-', 'Length: x\r\n', '\r\n'].map((text) => Buffer.from(text))
    const framer = new HttpFramer('request')
    const [first, second, third] = parts as [Buffer, Buffer, Buffer]
    expect([framer.next(first, 0), framer.piece]).toEqual([first.length, Piece.headPart])
    expect([framer.next(second, 0), framer.piece]).toEqual([second.length, Piece.headPart])
    // All before this chunk is pending, nothing of this chunk has been taken.
    expect([framer.next(third, 0), framer.piece]).toEqual([0, Piece.opaque])
    expect(framer.pendingHead.toString()).toBe(`${first.toString()}${second.toString()}`)
  })

  test('content is not kept', () => {
    const framer = new HttpFramer('request')
    feed(framer, Buffer.from('POST / HTTP/1.1\r\nContent-Length: 999999999999999\r\n\r\n'), 1)
    const before = process.memoryUsage().arrayBuffers
    feed(framer, Buffer.alloc(65_536), 2000)
    // 131 MB went through.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10e6)
  })

  test('a value of blanks takes no longer than its length', () => {
    const blanks = ' '.repeat(httpLimits.maxHeadBytes - 100)
    const start = performance.now()
    for (const name of ['Connection', 'Transfer-Encoding', 'Content-Length']) {
      frame('request', [Buffer.from(`GET / HTTP/1.1\r\n${name}: a${blanks}b\r\n\r\n`)])
    }
    // In quadratic time each takes seconds; in linear time the three take one or two milliseconds.
    expect(performance.now() - start).toBeLessThan(500)
  })

  test('looking ahead changes nothing', () => {
    const framer = new HttpFramer('request')
    const head = Buffer.from('POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na')
    const body = Buffer.from('bc\r\n0\r\n\r\n')
    let at = 0
    while (at < head.length) at = framer.next(head, at)
    const ahead = framer.clone()
    const walk = (each: HttpFramer): number[] => {
      const pieces: number[] = []
      for (let position = 0; ;) {
        position = each.next(body, position)
        if (each.piece === Piece.none) return pieces
        pieces.push(each.piece, position)
      }
    }
    const seen = walk(ahead)
    expect(seen.at(-2)).toBe(Piece.end)
    expect(walk(framer)).toEqual(seen)
  })
})

function afterHead(kind: 'request' | 'response', text: string, answers: HttpFramer['answers'] = 'other'): HttpFramer {
  const framer = new HttpFramer(kind)
  framer.answers = answers
  framer.next(Buffer.from(text), 0)
  expect(framer.piece).toBe(Piece.head)
  return framer
}

/** Gives the framer the same bytes again and again, until it can't be told what they mean. */
function feed(framer: HttpFramer, part: Buffer, times: number): void {
  for (let count = 0; count < times && !isOpaque(framer); count++) {
    for (let at = 0; at < part.length;) {
      at = framer.next(part, at)
      if (isOpaque(framer) || framer.piece === Piece.none) break
    }
  }
}

function isOpaque({ piece }: HttpFramer): boolean {
  return piece === Piece.opaque
}
