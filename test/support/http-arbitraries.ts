// HTTP/1.x messages by the grammar of RFC 9112, at random, each with what it means by construction.
import fc, { type Arbitrary } from 'fast-check'
import type { MethodKind } from '../../proxy/protocols/http/framer.ts'
import type { MessageKind } from './http-framing.ts'

/** Messages in a row on one connection. */
export interface Stream {
  readonly kind: MessageKind
  readonly bytes: Buffer
  readonly answers: readonly MethodKind[]
  /** Where they begin and end, as far as the one who built them knows. */
  readonly messages: readonly { headFrom: number; headTo: number; content: string; endsAt: number }[]
}

interface Message {
  /** Empty lines. */
  readonly before: string
  readonly head: string
  readonly content: string
  /** The body as it is sent. */
  readonly wire: string
}

/** A request, or an answer with those that come before it. */
interface Built {
  readonly messages: readonly Message[]
  readonly answers: MethodKind | undefined
}

interface Body {
  /** With its line end. */
  readonly header: string
  readonly content: string
  readonly wire: string
}

/** `plain`: what every server takes. `odd`: what the RFC allows to send, or asks to bear. */
export type Style = 'plain' | 'odd'

const TOKEN = "abcdefXYZ019!#$%&'*+-.^_`|~"

const oneOf = <Value>(...values: Value[]): Arbitrary<Value> => fc.constantFrom(...values)

/** Mostly the first. */
const mostly = <Value>(usual: Value, ...others: Value[]): Arbitrary<Value> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...others) })

const text = (letters: string, minLength: number, maxLength: number): Arbitrary<string> =>
  fc.string({ unit: fc.constantFrom(...letters.split('')), minLength, maxLength })

const anyCase = (name: string): Arbitrary<string> => oneOf(name, name.toLowerCase(), name.toUpperCase())

/** Content that looks like everything else. */
const content = fc.oneof(
  oneOf('', '\r\n', '0\r\n\r\n', '\r\n\r\nGET / HTTP/1.1\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '\0\xff'),
  fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)), maxLength: 60 }),
)

const noBody: Arbitrary<Body> = fc.constant({ header: '', content: '', wire: '' })

/** As if there were a body, where there can't be one. */
const withoutWire = (body: Arbitrary<Body>): Arbitrary<Body> => body.map((each) => ({ ...each, content: '', wire: '' }))

/** Valid messages in a row; no reader should take them for anything else. */
export function streams(style: Style): Arbitrary<Stream> {
  const odd = style === 'odd'
  const rarely = (usual: string, ...others: string[]) => (odd ? mostly(usual, ...others) : fc.constant(usual))

  const eol = rarely('\r\n', '\n')
  /** Nothing that frames a body, but what looks like it. */
  const headerName = fc.oneof(
    oneOf('Host', 'accept', 'Content-Type', 'Content-Lengt', 'Content-Length2', 'Transfer-Encoding-', 'TE', 'Trailer'),
    oneOf('Xontent-Length', 'Connectio', 'Upgrad', 'Cookie', 'C', 'T', 'U', 'X-Chunked'),
    text(TOKEN, 1, 12).map((name) => `x${name}`),
  )
  const headerValue = fc.oneof(
    oneOf('', 'chunked', '3', 'Content-Length: 3', 'a:b', '"quoted, string"', '\xe4\xf6', 'upgrade'),
    text('abc 09:,;=\t"\\\x80\xff', 0, 40).map((value) => value.trim()),
  )
  const colon = mostly(': ', ':', ':\t', ':  ')
  const blank = mostly('', ' ', '\t')
  const fold = rarely('', '\r\n folded', '\r\n\tContent-Length: 5', '\n  x')
  const header = fc.tuple(headerName, colon, headerValue, fold, blank, eol).map((parts) => parts.join(''))
  const headers = fc.array(header, { maxLength: 5 }).map((lines) => lines.join(''))

  const lengthBody: Arbitrary<Body> = fc
    .tuple(content, anyCase('Content-Length'), colon, mostly('', '00'), blank, eol)
    .map(([all, name, colons, zeros, blanks, end]) => ({
      header: `${name}${colons}${zeros}${all.length}${blanks}${end}`,
      content: all,
      wire: all,
    }))
  const extension = fc.oneof(mostly('', ';a', ';a=b', ';a="b;c"'), rarely('', ';', ';\t x = y', ';\xff'))
  const chunk = fc
    .tuple(content, fc.boolean(), mostly('', '0', '000'), extension)
    .filter(([part]) => part.length > 0)
    .map(([part, upper, zeros, ext]) => {
      const size = part.length.toString(16)
      return { content: part, wire: `${zeros}${upper ? size.toUpperCase() : size}${ext}\r\n${part}\r\n` }
    })
  const trailer = fc.tuple(headerName, headerValue).map(([name, value]) => `${name}: ${value}\r\n`)
  const codings = mostly('chunked', 'Chunked', 'gzip, chunked', 'gzip ,\tchunked')
  const chunks = fc.tuple(fc.array(chunk, { maxLength: 4 }), mostly('0', '000', '0;last'))
  const chunkedBody: Arbitrary<Body> = fc
    .tuple(chunks, anyCase('Transfer-Encoding'), codings, fc.array(trailer, { maxLength: 2 }), eol)
    .map(([[parts, last], name, coding, trailers, end]) => ({
      header: `${name}: ${coding}${end}`,
      content: parts.map((part) => part.content).join(''),
      wire: `${parts.map((part) => part.wire).join('')}${last}\r\n${trailers.join('')}\r\n`,
    }))

  const build = (startLine: Arbitrary<string>, bodies: Arbitrary<Body>, answers?: MethodKind): Arbitrary<Built> =>
    fc
      .tuple(rarely('', '\r\n', '\r\n\r\n', '\n'), startLine, eol, headers, bodies, headers, eol)
      .map(([before, line, lineEnd, first, body, last, end]) => {
        const head = `${line}${lineEnd}${first}${body.header}${last}${end}`
        return { messages: [{ before, head, content: body.content, wire: body.wire }], answers }
      })

  // ---- requests

  const methods = oneOf('GET', 'POST', 'PUT', 'HEAD', 'OPTIONS', 'DELETE', 'M-SEARCH', 'PURGE')
  const targets = oneOf('/', '*', '/a//b/../c?x=1&y=%20', 'http://h:80/p', '//', '/?HTTP/1.1')
  const oddTargets = text('/abc%?#[]@:=\xc3 ', 1, 30).map((rest) => `/${rest}x`)
  const method = odd ? fc.oneof(methods, text(TOKEN, 1, 9)) : methods
  const target = odd ? fc.oneof(targets, oddTargets) : targets
  const requestLine = (version: string): Arbitrary<string> =>
    fc.tuple(method, target).map(([verb, where]) => `${verb} ${where} ${version}`)
  const plainRequest = build(requestLine('HTTP/1.1'), fc.oneof(noBody, lengthBody, chunkedBody))
  const request = odd
    ? fc.oneof(plainRequest, build(requestLine('HTTP/1.0'), fc.oneof(noBody, lengthBody)))
    : plainRequest

  // ---- answers

  const reason = fc.oneof(mostly(' OK', '', ' '), rarely(' OK', ' Not  Found', ' \xe4'))
  const statusLine = (statuses: Arbitrary<number>, version = 'HTTP/1.1'): Arbitrary<string> =>
    fc.tuple(statuses, reason).map(([status, words]) => `${version} ${status}${words}`)
  const withBody = oneOf(200, 201, 206, 302, 404, 500, 599, 999)
  const plainAnswers = [
    build(statusLine(withBody), fc.oneof(lengthBody, chunkedBody)),
    build(statusLine(oneOf(204, 304)), withoutWire(fc.oneof(noBody, lengthBody, chunkedBody))),
    build(statusLine(withBody), withoutWire(fc.oneof(noBody, lengthBody, chunkedBody)), 'HEAD'),
    build(statusLine(oneOf(407, 502)), fc.oneof(lengthBody, chunkedBody), 'CONNECT'),
  ]
  const answer = fc.oneof(...plainAnswers, ...(odd ? [build(statusLine(withBody, 'HTTP/1.0'), lengthBody)] : []))
  const interim = build(statusLine(oneOf(100, 102, 103, 110)), noBody)
  const response = fc.tuple(fc.array(interim, { maxLength: 2 }), answer).map(([before, final]) => ({
    messages: [...before, final].flatMap(({ messages }) => messages),
    answers: final.answers,
  }))
  /** Only the last one: it lasts until the connection ends. */
  const untilClosed = content.map((all) => ({ header: '', content: all, wire: all }))
  const lastResponse = fc.oneof(response, build(statusLine(withBody), untilClosed))

  const requests = fc.array(request, { minLength: 1, maxLength: 4 })
  const responses = fc
    .tuple(fc.array(response, { maxLength: 3 }), lastResponse)
    .map(([before, last]) => [...before, last])
  return fc.oneof(
    requests.map((parts) => inARow('request', parts)),
    responses.map((parts) => inARow('response', parts)),
  )
}

function inARow(kind: MessageKind, parts: readonly Built[]): Stream {
  const messages: Stream['messages'][number][] = []
  let bytes = ''
  for (const { before, head, content: all, wire } of parts.flatMap((part) => part.messages)) {
    const headFrom = bytes.length + before.length
    bytes += `${before}${head}${wire}`
    messages.push({ headFrom, headTo: headFrom + head.length, content: all, endsAt: bytes.length })
  }
  const answers = parts.map((part) => part.answers ?? 'other')
  return { kind, bytes: Buffer.from(bytes, 'latin1'), answers, messages }
}
