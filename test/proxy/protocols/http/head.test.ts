// Reading heads, and editing them: what is not edited stays as it came, to the byte.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HttpHead } from '../../../../proxy/protocols/http/head.ts'

const text = [
  'GET /a?b HTTP/1.1\r\n',
  'host:  Example.com \r\n',
  'X-Twice: 1\r\n',
  'x-empty:\r\n',
  'X-Folded: one\r\n\ttwo\r\n   three\r\n',
  'x-TWICE:2\t\r\n',
  'no colon here\r\n',
  'X-Bytes: \xe4\xa0\r\n',
  '\r\n',
].join('')

/** The head after an edit. */
function edited(edit: (head: HttpHead) => void, of = text): string {
  const head = new HttpHead(of)
  edit(head)
  return head.toBuffer().toString('latin1')
}

describe('reading', () => {
  const head = new HttpHead(text)

  test('names have no case, values have no blanks around them', () => {
    expect(head.header('HOST')).toBe('Example.com')
    expect(head.header('x-empty')).toBe('')
    expect(head.header('x-none')).toBeUndefined()
    expect(head.headers('X-Twice')).toEqual(['1', '2'])
    expect(head.headers('x-none')).toEqual([])
  })

  test('a folded value is one value', () => {
    expect(head.header('x-folded')).toBe('one two three')
    expect(head.header('two')).toBeUndefined()
  })

  test('only whole names count', () => {
    expect(head.header('X-Twic')).toBeUndefined()
    expect(head.header('no colon here')).toBeUndefined()
    expect(head.header('')).toBeUndefined()
  })

  test('bytes beyond ASCII are kept, also those that look like blanks', () => {
    expect(head.header('x-bytes')).toBe('\xe4\xa0')
  })

  test('a start line has parts', () => {
    expect([head.startLine, head.method, head.target]).toEqual(['GET /a?b HTTP/1.1', 'GET', '/a?b'])
    expect(new HttpHead('HTTP/1.1 404 Not Found\r\n\r\n').status).toBe(404)
    expect(new HttpHead('HTTP/1.1 200\n\n')).toMatchObject({ status: 200, startLine: 'HTTP/1.1 200' })
    expect(new HttpHead('GET /a b HTTP/1.1\n\n').target).toBe('/a b')
  })

  test('lists have tokens', () => {
    const lists = new HttpHead('GET / HTTP/1.1\r\nConnection: a , Keep-Alive\r\nconnection: upgrade\r\n\r\n')
    expect(['A', 'keep-alive', 'UPGRADE', 'keep', ''].map((token) => lists.hasToken('connection', token))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ])
  })
})

describe('editing', () => {
  test('nothing leaves all bytes as they came', () => {
    expect(edited(() => {})).toBe(text)
    expect(edited((head) => head.headers('x-folded'))).toBe(text)
    expect(edited((head) => head.remove('x-none'))).toBe(text)
  })

  test('setting replaces the first and removes the others', () => {
    expect(edited((head) => head.set('X-TWICE', '3'))).toBe(
      text.replace('X-Twice: 1\r\n', 'X-TWICE: 3\r\n').replace('x-TWICE:2\t\r\n', ''),
    )
    expect(edited((head) => head.set('x-folded', 'a'))).toBe(
      text.replace('X-Folded: one\r\n\ttwo\r\n   three\r\n', 'x-folded: a\r\n'),
    )
  })

  test('setting what is not there adds it behind all others', () => {
    expect(edited((head) => head.set('X-New', '1'))).toBe(`${text.slice(0, -2)}X-New: 1\r\n\r\n`)
    expect(edited((head) => head.add('Host', 'b'))).toBe(`${text.slice(0, -2)}Host: b\r\n\r\n`)
  })

  test('removing removes all of a name, folded lines with it', () => {
    expect(edited((head) => expect(head.remove('x-twice')).toBe(2))).toBe(
      text.replace('X-Twice: 1\r\n', '').replace('x-TWICE:2\t\r\n', ''),
    )
    expect(edited((head) => head.remove('x-folded'))).toBe(text.replace('X-Folded: one\r\n\ttwo\r\n   three\r\n', ''))
  })

  test('a line may be anything', () => {
    expect(edited((head) => head.addLine('broken'))).toBe(`${text.slice(0, -2)}broken\r\n\r\n`)
  })

  test('a start line', () => {
    expect(edited((head) => (head.startLine = 'PUT / HTTP/1.0'))).toBe(
      text.replace('GET /a?b HTTP/1.1', 'PUT / HTTP/1.0'),
    )
    const answer = 'HTTP/1.0 200 OK\nA: b\n\n'
    expect(edited((head) => head.setStatus(503, 'Service Unavailable'), answer)).toBe(
      'HTTP/1.0 503 Service Unavailable\nA: b\n\n',
    )
    expect(edited((head) => head.setStatus(299, ''), answer)).toBe('HTTP/1.0 299 \nA: b\n\n')
  })

  test('keeps bare LF', () => {
    expect(edited((head) => head.add('C', 'd'), 'GET / HTTP/1.1\nA: b\n\n')).toBe('GET / HTTP/1.1\nA: b\nC: d\n\n')
    expect(edited((head) => head.set('A', 'd'), 'GET / HTTP/1.1\n\n')).toBe('GET / HTTP/1.1\nA: d\n\n')
  })

  test('a head without headers', () => {
    expect(edited((head) => head.add('A', 'b'), 'GET / HTTP/1.1\r\n\r\n')).toBe('GET / HTTP/1.1\r\nA: b\r\n\r\n')
  })

  test('with characters beyond latin1 writes UTF-8, so that none turns into a line end', () => {
    // Cut off to a byte, these are CR and LF.
    const written = edited((head) => head.add('X', 'a\u010d\u010ab'), 'GET / HTTP/1.1\r\n\r\n')
    expect(Buffer.from(written, 'latin1').toString()).toBe('GET / HTTP/1.1\r\nX: a\u010d\u010ab\r\n\r\n')
    const status = edited((head) => head.setStatus(200, '\u010a'), 'HTTP/1.1 404 x\r\nX: \xe4\r\n\r\n')
    expect(status).toBe(`HTTP/1.1 200 ${Buffer.from('\u010a').toString('latin1')}\r\nX: \xe4\r\n\r\n`)
  })

  test('whatever is edited, other lines stay byte-equal and in order', () => {
    const name = fc.constantFrom('Host', 'A', 'b', 'Content-Length', 'X-Long-Name')
    const value = fc.string({ unit: fc.constantFrom('a', ' ', '\t', ':', '\xff', ',', '\0'), maxLength: 10 })
    const line = fc
      .tuple(
        name,
        fc.constantFrom(':', ': ', ':\t'),
        value,
        fc.constantFrom('', '\r\n\tfold', '\n fold'),
        fc.constantFrom('\r\n', '\n'),
      )
      .map(([header, colon, all, fold, end]) => ({
        name: header.toLowerCase(),
        text: `${header}${colon}${all}${fold}${end}`,
      }))
    const edit = fc.record({ do: fc.constantFrom('set', 'add', 'remove'), name, value: fc.constantFrom('new', '') })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), edit, (lines, change) => {
        const start = 'GET / HTTP/1.1\r\n'
        const of = `${start}${lines.map((each) => each.text).join('')}\r\n`
        const written = edited((head) => {
          if (change.do === 'remove') head.remove(change.name)
          else if (change.do === 'set') head.set(change.name, change.value)
          else head.add(change.name, change.value)
        }, of)
        const isMeant = (each: { name: string }): boolean => each.name === change.name.toLowerCase()
        const line = `${change.name}: ${change.value}\r\n`
        const first = lines.findIndex(isMeant)
        const kept = lines.flatMap((each, index) => {
          if (change.do === 'add' || !isMeant(each)) return [each.text]
          return change.do === 'set' && index === first ? [line] : []
        })
        if (change.do === 'add' || (change.do === 'set' && first < 0)) kept.push(line)
        expect(written).toBe(`${start}${kept.join('')}\r\n`)
      }),
      { numRuns: 1000, seed: 1 },
    )
  })
})
