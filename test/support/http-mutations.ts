// Bytes of HTTP/1.x that something has happened to.
import fc, { type Arbitrary } from 'fast-check'
import type { MethodKind } from '../../proxy/protocols/http/framer.ts'
import type { MessageKind } from './http-framing.ts'

export interface Wire {
  readonly kind: MessageKind
  readonly bytes: Buffer
  readonly answers: readonly MethodKind[]
}

/** What parsers of HTTP have tripped over. */
const TROUBLE = [
  [
    '\r',
    '\n',
    '\0',
    '\t',
    ' ',
    ':',
    ';',
    ',',
    '=',
    '0',
    '1',
    '5',
    '9',
    'a',
    'f',
    'g',
    'x',
    '"',
    '\x0b',
    '\x7f',
    '\xff',
  ],
  ['\r\n', '\n\n', '\r\r\n', '\r\n\r\n', '\n\r\n', '\r\n ', '\r\n\t', '  ', 'HTTP/1.', 'HTTP/1.0', 'HTTP/2.0'],
  ['Content-Length: 5\r\n', 'content-length:0\r\n', 'Content-Length : 3\r\n', 'Content-Length: 3, 3\r\n'],
  ['Content-Length: +1\r\n', 'Content-Length:\r\n 3\r\n', 'Content-Length: 99999999999999999999\r\n'],
  ['Transfer-Encoding: chunked\r\n', 'Transfer-Encoding: gzip\r\n', 'Transfer-Encoding : chunked\r\n'],
  ['Transfer-Encoding: identity\r\n', 'Transfer-Encoding:\x0bchunked\r\n', 'Transfer-Encoding: chunked, x\r\n'],
  ['Connection: close\r\n', 'Connection: upgrade\r\nUpgrade: x\r\n', 'Upgrade: x\r\n', 'Expect: 100-continue\r\n'],
  ['CONNECT ', 'HEAD ', 'GET / HTTP/1.1\r\n\r\n', 'HTTP/1.1 101 x\r\n\r\n', 'HTTP/1.1 204 x\r\n', '0\r\n\r\n'],
  ['ffffffffffffffff', '00000000000000000000', '1;a=\r\n', '0x1', '-1', '1_0', 'chunked', ', chunked'],
].flat()

interface Mutation {
  /** Where, as a share of the length. */
  readonly at: number
  /** To the beginning of the next line, where a header can be. */
  readonly atLine: boolean
  /** Bytes that are taken out there. */
  readonly removed: number
  readonly inserted: string
}

const mutation: Arbitrary<Mutation> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  atLine: fc.boolean(),
  removed: fc.constantFrom(0, 0, 0, 1, 2, 5),
  inserted: fc.oneof(fc.constant(''), fc.constantFrom(...TROUBLE)),
})

function mutate(bytes: Buffer, { at, atLine, removed, inserted }: Mutation): Buffer {
  const place = Math.round(at * bytes.length)
  const from = atLine ? bytes.indexOf(10, place) + 1 : place
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(inserted, 'latin1'), bytes.subarray(from + removed)])
}

export function broken(originals: Arbitrary<Wire>): Arbitrary<Wire> {
  return fc
    .tuple(originals, fc.array(mutation, { minLength: 1, maxLength: 3 }))
    .map(([{ kind, bytes, answers }, mutations]) => ({ kind, bytes: mutations.reduce(mutate, bytes), answers }))
}
