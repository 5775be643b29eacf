// Bytes of HTTP/1.x, each with what they mean: seeds of the fuzz tests and examples of every rule of the framer.
import { httpLimits, type BodyKind, type MethodKind } from '../../../../proxy/protocols/http/framer.ts'
import type { MessageKind } from '../../../support/http-framing.ts'

export interface Sample {
  readonly name: string
  readonly kind: MessageKind
  readonly bytes: Buffer
  /** Of responses: the methods that they answer. */
  readonly answers?: readonly MethodKind[]
  /** Bodies and contents of the messages, `…` for one whose end is the connection's. */
  readonly messages: readonly (readonly [BodyKind, string])[]
  /** A message behind them is not complete. */
  readonly unfinished?: boolean
  /** Why what follows can't be understood. */
  readonly opaque?: string
}

type Rest = Omit<Sample, 'name' | 'kind' | 'bytes' | 'messages'>

const sample =
  (kind: MessageKind) =>
  (name: string, text: string, messages: Sample['messages'], rest: Rest = {}): Sample => ({
    name,
    kind,
    bytes: Buffer.from(text, 'latin1'),
    messages,
    ...rest,
  })
const request = sample('request')
const response = sample('response')
const opaqueRequest = (name: string, text: string, opaque: string, messages: Sample['messages'] = []): Sample =>
  request(name, text, messages, { opaque })
const opaqueResponse = (name: string, text: string, opaque: string, messages: Sample['messages'] = []): Sample =>
  response(name, text, messages, { opaque })

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const none = ['none', ''] as const
const post = (headers: string, body = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${headers}\r\n\r\n${body}`
const chunked = (body: string): string => post('Transfer-Encoding: chunked', body)
const ok = (headers: string, body = ''): string => `HTTP/1.1 200 OK\r\n${headers}\r\n\r\n${body}`
const headOf = (bytes: number): string => {
  const around = 'GET / HTTP/1.1\r\nX: \r\n\r\n'
  return around.replace('X: ', `X: ${'x'.repeat(bytes - around.length)}`)
}
const headersOf = (count: number): string => `GET / HTTP/1.1\r\n${'A: b\r\n'.repeat(count)}\r\n`

// ---- what every reader understands the same --------------------------------------------------------------------------

const bodies: Sample[] = [
  request('a request without a body', GET, [none]),
  request('Content-Length', post('Content-Length: 3', 'abc'), [['length', 'abc']]),
  request('a Content-Length of 0', post('Content-Length: 0') + GET, [none, none]),
  request('a Content-Length with blanks around and zeros before it', post('content-LENGTH:\t 0003 \t', 'abc'), [
    ['length', 'abc'],
  ]),
  request(
    'chunks, their sizes in any case',
    chunked('3\r\nabc\r\nA\r\n0123456789\r\n00b\r\n0123456789a\r\n0\r\n\r\n'),
    [['chunked', 'abc01234567890123456789a']],
  ),
  request('chunked in another case', post('TRANSFER-encoding: Chunked', '1\r\na\r\n0\r\n\r\n'), [['chunked', 'a']]),
  request('chunk extensions', chunked('3;a=b;c="d;e";f\r\nabc\r\n0;last\r\n\r\n'), [['chunked', 'abc']]),
  request('trailers', chunked('1\r\na\r\n0\r\nX: 1\r\nY:\t2\r\n\r\n') + GET, [['chunked', 'a'], none]),
  request('a chunked body without content', chunked('0\r\n\r\n') + GET, [['chunked', ''], none]),
  request('content that looks like a request', post(`Content-Length: ${GET.length}`, GET) + GET, [
    ['length', GET],
    none,
  ]),
  request('content that looks like the last chunk', chunked('7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n'), [
    ['chunked', '\r\n0\r\n\r\n'],
  ]),
  request('another coding before chunked', post('Transfer-Encoding: gzip, chunked', '1\r\na\r\n0\r\n\r\n'), [
    ['chunked', 'a'],
  ]),
  request(
    'chunked in a second Transfer-Encoding',
    post('Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
    [['chunked', '']],
  ),
  response('an answer with Content-Length', ok('Content-Length: 3', 'abc'), [['length', 'abc']]),
  response('an answer in chunks', ok('Transfer-Encoding: chunked', '3\r\nabc\r\n0\r\nX: 1\r\n\r\n'), [
    ['chunked', 'abc'],
  ]),
  response('an answer that lasts until the connection ends', ok('Server: a', 'abc'), [['close', 'abc']]),
  response('an answer of HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nabc', [['close', 'abc']]),
  response('an answer whose last coding is not chunked', ok('Transfer-Encoding: gzip', 'abc'), [['close', 'abc']]),
  response('an answer to HEAD', ok('Content-Length: 3') + ok('Content-Length: 1', 'a'), [none, ['length', 'a']], {
    answers: ['HEAD'],
  }),
  response('a chunked answer to HEAD', ok('Transfer-Encoding: chunked') + ok('Content-Length: 0'), [none, none], {
    answers: ['HEAD'],
  }),
  response(
    '204 and 304 with headers of a body',
    `HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nHTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n${ok('Content-Length: 0')}`,
    [none, none, none],
  ),
  response(
    'answers before the answer',
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok('Content-Length: 1', 'a')}`,
    [none, none, ['length', 'a']],
  ),
  response(
    'answers before the answer to HEAD',
    `HTTP/1.1 103 Early Hints\r\n\r\n${ok('Content-Length: 5')}${ok('Content-Length: 1', 'a')}`,
    [none, none, ['length', 'a']],
    { answers: ['HEAD'] },
  ),
  response('a CONNECT that was refused', `HTTP/1.1 407 Auth\r\nContent-Length: 2\r\n\r\nno`, [['length', 'no']], {
    answers: ['CONNECT'],
  }),
  response('an answer without a reason', 'HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n', [none]),
  response('a status beyond the known ones', 'HTTP/1.1 999 \r\nContent-Length: 1\r\n\r\na', [['length', 'a']]),
]

const heads: Sample[] = [
  request('requests in a row', GET + post('Content-Length: 2', 'ab') + chunked('1\r\nc\r\n0\r\n\r\n') + GET, [
    none,
    ['length', 'ab'],
    ['chunked', 'c'],
    none,
  ]),
  request('empty lines before requests', `\r\n\r\n${GET}\r\n${GET}`, [none, none]),
  request('bare LF', 'POST / HTTP/1.1\nHost: a\nContent-Length: 2\n\nabGET / HTTP/1.1\n\n', [['length', 'ab'], none]),
  request('bare LF and CRLF in turns', `GET / HTTP/1.1\nHost: a\r\n\n${GET}`, [none, none]),
  request('a folded header', `GET / HTTP/1.1\r\nX: a\r\n b\r\n\tc\r\n\r\n${GET}`, [none, none]),
  request('a header without a value, a line without a colon', 'GET / HTTP/1.1\r\nX:\r\nnonsense\r\n\r\n', [none]),
  request('odd methods', `get / HTTP/1.1\r\n\r\nM-SEARCH * HTTP/1.1\r\n\r\n!#$%&'*+.^_\`|~9 / HTTP/1.1\r\n\r\n`, [
    none,
    none,
    none,
  ]),
  request(
    'odd targets',
    `GET http://h:1/p?q HTTP/1.1\r\n\r\nGET //a//b HTTP/1.1\r\n\r\nGET /\xff\x01 b HTTP/1.1\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n`,
    [none, none, none, none],
  ),
  request('HTTP/1.0', 'POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\na', [['length', 'a']]),
  request(
    'headers that look like those of a body',
    `GET / HTTP/1.1\r\nContent-Length-X: 3\r\nX-Content-Length: 3\r\nTransfer-Encodin: chunked\r\nTE: chunked\r\n\r\n${GET}`,
    [none, none],
  ),
  request('a head of 20 KB', headOf(20_480) + GET, [none, none]),
  request('the longest head', headOf(httpLimits.maxHeadBytes) + GET, [none, none]),
  request('as many headers as may be', headersOf(httpLimits.maxHeaders) + GET, [none, none]),
  request('an upgrade', 'GET / HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: h2c\r\n\r\n', [none]),
  request('a CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n', [none]),
  response('answers in bare LF', 'HTTP/1.1 200 OK\nContent-Length: 1\n\naHTTP/1.1 204 No\n\n', [['length', 'a'], none]),
  response('empty lines before answers', `\r\n${ok('Content-Length: 1', 'a')}\r\n${ok('Content-Length: 0')}`, [
    ['length', 'a'],
    none,
  ]),
]

const unfinished: Sample[] = [
  request('a head without its end', 'GET / HTTP/1.1\r\nHost: a\r\n', [], { unfinished: true }),
  request('a body that is too short', post('Content-Length: 5', 'abc'), [['length', 'abc']], { unfinished: true }),
  request('chunks without a last one', chunked('3\r\nabc\r\n'), [['chunked', 'abc']], { unfinished: true }),
  request('trailers without an end', chunked('0\r\nX: 1\r\n'), [['chunked', '']], { unfinished: true }),
  response('half of a status line', 'HTTP/1', [], { unfinished: true }),
]

// ---- what readers could understand differently ----------------------------------------------------------------------

const framingHeaders: Sample[] = [
  opaqueRequest(
    'Content-Length and Transfer-Encoding',
    post('Content-Length: 3\r\nTransfer-Encoding: chunked', '0\r\n\r\n'),
    'both Content-Length and Transfer-Encoding',
  ),
  opaqueResponse(
    'both in an answer',
    ok('Transfer-Encoding: chunked\r\nContent-Length: 3', '0\r\n\r\n'),
    'both Content-Length and Transfer-Encoding',
  ),
  opaqueRequest(
    'two Content-Lengths',
    post('Content-Length: 3\r\nContent-Length: 3', 'abc'),
    'more than one Content-Length',
  ),
  opaqueRequest(
    'a Content-Length with two values',
    post('Content-Length: 3, 3', 'abc'),
    'a Content-Length that is no number',
  ),
  ...['', '+3', '-1', '3x', '0x3', '3 3', '1e1', '1000000000000000'].map((value) =>
    opaqueRequest(
      `a Content-Length of "${value}"`,
      post(`Content-Length: ${value}`, 'abc'),
      'a Content-Length that is no number',
    ),
  ),
  opaqueRequest(
    'a blank before the colon',
    post('Content-Length : 3', 'abc'),
    'a blank between a header and its colon',
  ),
  opaqueRequest(
    'a tab before the colon',
    post('Transfer-Encoding\t: chunked', '0\r\n\r\n'),
    'a blank between a header and its colon',
  ),
  opaqueRequest('no colon', post('Content-Length\r\n : 3', 'abc'), 'a header that frames the body without a colon'),
  opaqueRequest('a folded Content-Length', post('Content-Length:\r\n 3', 'abc'), 'a Content-Length that is no number'),
  opaqueRequest(
    'a Content-Length that goes on',
    post('Content-Length: 3\r\n 4', 'abc'),
    'a folded header that frames the body',
  ),
  opaqueRequest(
    'a folded Transfer-Encoding',
    post('Transfer-Encoding: gzip,\r\n chunked', '0\r\n\r\n'),
    'a folded header that frames the body',
  ),
  opaqueRequest(
    'a blank before the first header',
    'GET / HTTP/1.1\r\n Host: a\r\n\r\n',
    'a blank before the first header',
  ),
  opaqueRequest(
    'chunked twice',
    post('Transfer-Encoding: chunked, chunked', '0\r\n\r\n'),
    'a Transfer-Encoding behind chunked',
  ),
  opaqueRequest(
    'two Transfer-Encodings, chunked first',
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip', '0\r\n\r\n'),
    'a Transfer-Encoding behind chunked',
  ),
  opaqueRequest(
    'a coding behind chunked',
    post('Transfer-Encoding: chunked, gzip', '0\r\n\r\n'),
    'a Transfer-Encoding behind chunked',
  ),
  opaqueRequest(
    'an empty coding behind chunked',
    post('Transfer-Encoding: chunked,', '0\r\n\r\n'),
    'a Transfer-Encoding behind chunked',
  ),
  opaqueRequest(
    'a coding like chunked',
    post('Transfer-Encoding: xchunked', '0\r\n\r\n'),
    'a Transfer-Encoding like chunked',
  ),
  opaqueRequest(
    'a vertical tab before chunked',
    post('Transfer-Encoding: \x0bchunked', '0\r\n\r\n'),
    'a Transfer-Encoding like chunked',
  ),
  opaqueRequest(
    'a request whose body has no known end',
    post('Transfer-Encoding: gzip', 'abc'),
    'a Transfer-Encoding of a request that does not end with chunked',
  ),
  opaqueRequest(
    'a Transfer-Encoding in HTTP/1.0',
    'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'a Transfer-Encoding in HTTP/1.0',
  ),
  ...[
    '103 x\r\nTransfer-Encoding: gzip',
    '204 x\r\nTransfer-Encoding: gzip',
    '304 x\r\nTransfer-Encoding: gzip',
    '103 x\r\nTransfer-Encoding: chunked',
    '100 x\r\nContent-Length: 3',
  ].map((head) =>
    opaqueResponse(
      JSON.stringify(head),
      `HTTP/1.1 ${head}\r\n\r\n`,
      'an answer that can have no body and says that it has one',
    ),
  ),
  opaqueRequest(
    'a CONNECT with a body',
    'CONNECT a:1 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc',
    'a CONNECT with a body',
  ),
  opaqueRequest(
    'a bare CR in a header',
    'GET / HTTP/1.1\r\nX: a\rContent-Length: 3\r\n\r\n',
    'a CR without LF in a head',
  ),
  opaqueRequest('a bare CR at the end of a line', 'GET / HTTP/1.1\r\nX: a\r\r\n\r\n', 'a CR without LF in a head'),
]

const chunks: Sample[] = [
  ...['g', '', ' 1', '1 ', '0x1', '-1', '1,', '1\n', '1\t;a'].map((size) =>
    opaqueRequest(
      `a chunk size of ${JSON.stringify(size)}`,
      chunked(`${size}\r\na\r\n0\r\n\r\n`),
      'a chunk size that is no number',
      [['chunked', '']],
    ),
  ),
  opaqueRequest('a chunk size beyond 2^53', chunked('20000000000000\r\n'), 'a chunk size that is too large', [
    ['chunked', ''],
  ]),
  opaqueRequest('a chunk size of 40 digits', chunked(`${'0'.repeat(40)}1\r\na\r\n`), 'a chunk size that is too long', [
    ['chunked', ''],
  ]),
  opaqueRequest('a CR without LF behind a chunk size', chunked('1\ra\r\n'), 'a CR without LF in a chunk line', [
    ['chunked', ''],
  ]),
  opaqueRequest('a bare LF in a chunk extension', chunked('1;a\nb\r\n'), 'a chunk extension with control characters', [
    ['chunked', ''],
  ]),
  opaqueRequest(
    'a chunk that is longer than its size',
    chunked('1\r\nab\r\n0\r\n\r\n'),
    'a chunk longer than its size',
    [['chunked', 'a']],
  ),
  opaqueRequest('a chunk that ends with a bare LF', chunked('1\r\na\n0\r\n\r\n'), 'a chunk longer than its size', [
    ['chunked', 'a'],
  ]),
  opaqueRequest('a chunk that ends with a bare CR', chunked('1\r\na\r0\r\n\r\n'), 'a chunk longer than its size', [
    ['chunked', 'a'],
  ]),
  opaqueRequest('a bare CR in a trailer', chunked('0\r\nX: a\rb\r\n\r\n'), 'a CR without LF in a trailer', [
    ['chunked', ''],
  ]),
  opaqueRequest('a bare CR for the last line', chunked('0\r\n\rx'), 'a CR without LF in a trailer', [['chunked', '']]),
]

const limits: Sample[] = [
  opaqueRequest('a head that is too long', headOf(httpLimits.maxHeadBytes + 1), 'a head longer than 65536 bytes'),
  opaqueRequest('too many headers', headersOf(httpLimits.maxHeaders + 1), 'more than 1000 headers'),
  opaqueRequest(
    'a chunk line that is too long',
    chunked(`1;${'x'.repeat(httpLimits.maxChunkLineBytes)}\r\na\r\n`),
    'a chunk line longer than 16384 bytes',
    [['chunked', '']],
  ),
  opaqueRequest(
    'trailers that are too long',
    chunked(`0\r\nX: ${'x'.repeat(httpLimits.maxTrailerBytes)}\r\n\r\n`),
    'trailers longer than 65536 bytes',
    [['chunked', '']],
  ),
]

const otherProtocols: Sample[] = [
  opaqueRequest('HTTP/0.9', 'GET /\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'HTTP/2'),
  opaqueRequest('HTTP/1.2', 'GET / HTTP/1.2\r\n\r\n', 'a version other than HTTP/1.0 and 1.1'),
  opaqueRequest('HTTP/3', 'GET / HTTP/3\r\n\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'TLS'),
  opaqueRequest('TLS with a line end in it', '\x16\x03\x01\x0a\x00\x01\x0a\x0a', 'TLS'),
  opaqueRequest('SMTP', 'EHLO example.com\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('a blank before the method', ' GET / HTTP/1.1\r\n\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('no target', 'GET  HTTP/1.1\r\n\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('a blank behind the version', 'GET / HTTP/1.1 \r\n\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('a method that is no token', 'G(T / HTTP/1.1\r\n\r\n', 'not a request of HTTP/1.x'),
  opaqueRequest('rubbish behind a request', `${GET}\0\0`, 'not a request of HTTP/1.x', [none]),
  opaqueResponse('a greeting', '220 smtp ready\r\n', 'not an answer of HTTP/1.x'),
  opaqueResponse('an answer of HTTP/2', 'HTTP/2 200\r\n\r\n', 'not an answer of HTTP/1.x'),
  opaqueResponse('a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n', 'a status line without a status of three digits'),
  opaqueResponse(
    'a status of four digits',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'a status line without a status of three digits',
  ),
  opaqueResponse('a status of 99', 'HTTP/1.1 099 OK\r\n\r\n', 'a status line without a status of three digits'),
  opaqueResponse('no status', 'HTTP/1.1\r\n\r\n', 'a status line without a status of three digits'),
  opaqueResponse('rubbish behind an answer', `${ok('Content-Length: 1', 'a')}bc`, 'not an answer of HTTP/1.x', [
    ['length', 'a'],
  ]),
]

export const understood: readonly Sample[] = [...bodies, ...heads, ...unfinished]
export const ambiguous: readonly Sample[] = [...framingHeaders, ...chunks, ...limits, ...otherProtocols]
