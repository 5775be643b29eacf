import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventPiece, EventWalker } from '../../../../proxy/faults/sse/event-walker.ts'
import { IsolatedSse, anyStream, blocksOf } from '../../../support/sse.ts'
import { anyCuts, cut } from '../../../support/websocket-frames.ts'

/** Where blocks end, and which of them are events. */
function walk(chunks: readonly Buffer[]): { endsAt: number; isEvent: boolean }[] {
  const walker = new EventWalker()
  const blocks: { endsAt: number; isEvent: boolean }[] = []
  let offset = 0
  for (const chunk of chunks) {
    for (let at = 0; ;) {
      const to = walker.next(chunk, at)
      if (walker.piece === EventPiece.none) break
      if (to <= at) throw new Error('walks in a circle')
      if (walker.piece === EventPiece.blockEnd) blocks.push({ endsAt: offset + to, isEvent: walker.hasData })
      // Belongs to what was before.
      else if (walker.piece === EventPiece.lineFeed && blocks.at(-1)?.endsAt === offset) blocks.at(-1)!.endsAt++
      at = to
    }
    offset += chunk.length
  }
  return blocks
}

test.each([
  ['a line of data', 'data: x\n\n', [true]],
  ['data without a value', 'data\n\n', [true]],
  ['data without a blank', 'data:x\r\n\r\n', [true]],
  ['line ends of one CR', 'data: x\r\r', [true]],
  ['mixed line ends', 'id: 1\rdata: x\n\r\ndata: y\r\n\n', [true, true]],
  ['a byte order mark', '\u00ef\u00bb\u00bfdata: x\n\n', [true]],
  ['an empty line behind a byte order mark', '\u00ef\u00bb\u00bf\ndata: x\n\n', [false, true]],
  ['a comment behind a byte order mark', '\u00ef\u00bb\u00bf:\ndata: x\n\n', [true]],
  ['a byte order mark in the middle', 'id: 1\n\n\u00ef\u00bb\u00bfdata: x\n\n', [false, false]],
  ['comments and other fields', ': keep-alive\n\nid: 1\nevent: e\nretry: 5\n\n', [false, false]],
  ['names that look like data', 'dataset: x\nDATA: x\n data: x\nxdata: x\ndat: a\n\n', [false]],
  ['many lines', 'event: e\n: comment\ndata: x\ndata: y\nid: 1\n\n', [true]],
  ['an event that is not complete', 'data: x\n\ndata: y\n', [true]],
  ['empty lines', '\n\r\n\r\n', [false, false, false]],
])('%s', (_, stream, isEvent) => {
  const bytes = Buffer.from(stream, 'latin1')
  expect(walk([bytes]).map((block) => block.isEvent)).toEqual(isEvent)
  const byByte = [...bytes].map((byte) => Buffer.from([byte]))
  expect(walk(byByte)).toEqual(walk([bytes]))
})

test('any stream, cut anywhere, has the events that the standard says', () => {
  fc.assert(
    fc.property(anyStream, anyCuts, (stream, places) => {
      const bytes = Buffer.from(stream, 'latin1')
      let offset = 0
      const expected = blocksOf(stream)
        .filter(({ complete }) => complete)
        .map(({ text, isEvent }) => ({ endsAt: (offset += text.length), isEvent }))
      expect(walk(cut(bytes, places))).toEqual(expected)
    }),
    { seed: 1, numRuns: 1000 },
  )
})

test('sse_drop takes out exactly the events it is told to, of any stream cut anywhere', () => {
  fc.assert(
    fc.property(anyStream, anyCuts, fc.nat(3), fc.nat(3), (stream, places, afterEvents, count) => {
      const sse = new IsolatedSse('sse_drop', { afterEvents, count })
      for (const chunk of cut(Buffer.from(stream, 'latin1'), places)) sse.write(chunk)
      sse.stage.end()
      let events = 0
      let dropped = 0
      const left = blocksOf(stream).filter(({ isEvent }) => {
        if (!isEvent || events++ < afterEvents || (count > 0 && dropped >= count)) return true
        dropped++
        return false
      })
      expect(sse.text).toBe(left.map(({ text }) => text).join(''))
      expect(sse.signals).toEqual(['end'])
      expect(sse.acts.map(({ action }) => action)).toEqual(Array.from({ length: dropped }, () => 'drop'))
      expect(sse.stage.heldBytes).toBe(0)
    }),
    { seed: 2, numRuns: 1000 },
  )
})

test('sse_stall keeps what is behind the last event that may pass, of any stream cut anywhere, and loses nothing', () => {
  fc.assert(
    fc.property(anyStream, anyCuts, fc.nat(3), fc.boolean(), (stream, places, afterEvents, remove) => {
      const sse = new IsolatedSse('sse_stall', { afterEvents, durationMs: 5000 })
      for (const chunk of cut(Buffer.from(stream, 'latin1'), places)) sse.write(chunk)
      sse.stage.end()
      let events = 0
      const passing = blocksOf(stream)
        .filter(({ isEvent, complete }) => {
          const passes = events < afterEvents
          if (isEvent && complete) events++
          return passes
        })
        .map(({ text }) => text)
        .join('')
      expect(sse.text).toBe(passing)
      expect(sse.signals).toEqual(events >= afterEvents ? [] : ['end'])
      if (remove) sse.stage.remove()
      else sse.clock.advance(5000)
      expect(sse.text).toBe(stream)
      expect(sse.signals).toEqual(['end'])
      expect(sse.acts).toHaveLength(events >= afterEvents ? 1 : 0)
      expect([sse.stage.heldBytes, sse.clock.pendingTimers]).toEqual([0, 0])
    }),
    { seed: 3, numRuns: 1000 },
  )
})

test('sse_drop keeps no more of a block without data than 64 KiB', () => {
  const sse = new IsolatedSse('sse_drop', {})
  const comment = Buffer.from(`: ${'c'.repeat(998)}\n`)
  let mostHeldBytes = 0
  for (let index = 0; index < 200; index++) {
    sse.write(comment)
    mostHeldBytes = Math.max(mostHeldBytes, sse.stage.heldBytes)
  }
  expect(mostHeldBytes).toBeGreaterThan(60_000)
  expect(mostHeldBytes).toBeLessThanOrEqual(65_536 + comment.length)
  expect(sse.text).toHaveLength(200 * comment.length)
  // Too late to drop it: a part of it has passed.
  sse.write(Buffer.from('data: x\n\ndata: y\n\n'))
  expect(sse.text.slice(200 * comment.length)).toBe('data: x\n\n')
})
