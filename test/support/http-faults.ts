// What the wire tests of HTTP faults share: a server whose every byte is known, a client that reads answers by itself,
// and the proxy between them.
import { Network, type FaultProxy, type FaultSpec, type NetworkOptions, type ProxySpec } from '../../proxy/index.ts'
import { portOf } from './proxied.ts'
import { RawServer, RawSocket } from './sockets.ts'

const HEAD_END = '\r\n\r\n'

// ---- messages ------------------------------------------------------------------------------------------------------

/** The body of the usual answers: no two pieces of it are alike. */
export const BODY = Array.from({ length: 20 }, (_, index) => `line ${String(index).padStart(2, '0')};`).join('\n')

/** How the end of a body is known; a path of the same name gets an answer of that kind. */
export const framings = ['length', 'chunked', 'close'] as const
export type Framing = (typeof framings)[number]

/** An answer of the server; `close` = FIN behind it. */
export interface Answer {
  readonly bytes: Buffer
  readonly close: boolean
}

export interface AnswerOptions {
  readonly status?: string
  readonly headers?: readonly string[]
  readonly framing?: Framing
}

/** Chunks have 60 bytes of content each. */
export function answer(body: string | Buffer, options: AnswerOptions = {}): Answer {
  const { status = '200 OK', headers = [], framing = 'length' } = options
  const content = Buffer.from(body)
  const framed = {
    length: [`Content-Length: ${content.length}`],
    chunked: ['Transfer-Encoding: chunked'],
    close: ['Connection: close'],
  }[framing]
  const head = Buffer.from([`HTTP/1.1 ${status}`, ...headers, ...framed].join('\r\n') + HEAD_END, 'latin1')
  const bytes = Buffer.concat([head, framing === 'chunked' ? chunked(content) : content])
  return { bytes, close: framing === 'close' }
}

function chunked(content: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < content.length; at += 60) {
    const part = content.subarray(at, at + 60)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

/** A request with a body, if one is given. */
export function request(method: string, target: string, options: { headers?: string[]; body?: string } = {}): string {
  const { headers = [], body } = options
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  return [`${method} ${target} HTTP/1.1`, 'Host: test', ...headers, ...length].join('\r\n') + HEAD_END + (body ?? '')
}

export const get = (target: string, headers: string[] = []): string => request('GET', target, { headers })

// ---- the server ----------------------------------------------------------------------------------------------------

export interface SeenRequest {
  readonly method: string
  readonly target: string
  readonly head: string
  readonly body: string
  /** Number of the connection, from 1. */
  readonly connection: number
  readonly atMs: number
}

/** Undefined = never answers. */
export type Respond = (seen: SeenRequest) => Answer | undefined

/** `/length`, `/chunked` and `/close` get the {@link BODY} so framed; everything else gets its own target, with a length. */
export const usualAnswer: Respond = ({ method, target }) => {
  const framing = framings.find((name) => target === `/${name}`)
  const { bytes, close } = framing ? answer(BODY, { framing }) : answer(target)
  if (method !== 'HEAD') return { bytes, close }
  return { bytes: bytes.subarray(0, bytes.indexOf(HEAD_END) + 4), close }
}

export class HttpUpstream implements AsyncDisposable {
  readonly #server: RawServer
  readonly requests: SeenRequest[]

  private constructor(server: RawServer, requests: SeenRequest[]) {
    this.#server = server
    this.requests = requests
  }

  static async start(respond: Respond = usualAnswer): Promise<HttpUpstream> {
    const requests: SeenRequest[] = []
    let connections = 0
    const server = await RawServer.start((client) => {
      const connection = ++connections
      let done = 0
      const readOn = (): void => {
        for (let parsed = parseMessage(client.received, done); parsed; parsed = parseMessage(client.received, done)) {
          done = parsed.end
          const [method = '', target = ''] = parsed.startLine.split(' ')
          const { head, body } = parsed
          const seen = { method, target, head, body: body.toString('latin1'), connection, atMs: performance.now() }
          requests.push(seen)
          const answered = client.socket.writableEnded ? undefined : respond(seen)
          if (answered) client.write(answered.bytes)
          if (answered?.close) client.end()
        }
      }
      client.socket.on('data', readOn)
      client.socket.on('end', () => client.end())
    })
    return new HttpUpstream(server, requests)
  }

  get address(): string {
    return this.#server.address
  }

  /** The proxy's connections, as the server sees them. */
  get sockets(): readonly RawSocket[] {
    return this.#server.sockets
  }

  /** `GET /path` of all requests so far. */
  get lines(): string[] {
    return this.requests.map(({ method, target }) => `${method} ${target}`)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.close()
  }
}

// ---- the client ----------------------------------------------------------------------------------------------------

interface ParsedMessage {
  readonly startLine: string
  readonly head: string
  /** Without its transfer coding. */
  readonly body: Buffer
  readonly end: number
}

/** Undefined while it is not complete. Much simpler than the real thing: knows what tests send. */
function parseMessage(bytes: Buffer, from: number, bodiless = false, ended = false): ParsedMessage | undefined {
  const headEnd = bytes.indexOf(HEAD_END, from)
  if (headEnd < 0) return undefined
  const head = bytes.toString('latin1', from, headEnd + 4)
  const startLine = head.slice(0, head.indexOf('\r\n'))
  const message = (body: Buffer, end: number): ParsedMessage => ({ startLine, head, body, end })
  const start = headEnd + 4
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  if (bodiless || /^HTTP\/1.1 (?:204|304)/.test(head)) return message(Buffer.alloc(0), start)
  if (/\r\ntransfer-encoding: chunked/i.test(head)) {
    const parts: Buffer[] = []
    for (let at = start; ;) {
      const lineEnd = bytes.indexOf('\r\n', at)
      if (lineEnd < 0) return undefined
      const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
      if (Number.isNaN(size)) throw new Error(`no chunk size: ${bytes.toString('latin1', at, lineEnd)}`)
      const end = size === 0 ? bytes.indexOf(HEAD_END, lineEnd) + 4 : lineEnd + 2 + size + 2
      if (end < lineEnd + 4 || bytes.length < end) return undefined
      if (size === 0) return message(Buffer.concat(parts), end)
      parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size))
      at = end
    }
  }
  if (length !== undefined) {
    const end = start + Number(length)
    return bytes.length < end ? undefined : message(bytes.subarray(start, end), end)
  }
  if (!startLine.startsWith('HTTP/')) return message(Buffer.alloc(0), start)
  return ended ? message(bytes.subarray(start), bytes.length) : undefined
}

/** A client that sends what it is told and reads one answer after the other. */
export class HttpClient {
  readonly raw: RawSocket
  #read = 0

  constructor(raw: RawSocket) {
    this.raw = raw
  }

  /** Sends; several requests in one text are pipelined. */
  send(text: string): void {
    this.raw.write(text)
  }

  /** The next complete answer. */
  async answer({ head = false } = {}): Promise<ReceivedAnswer> {
    let parsed: ParsedMessage | undefined
    const { raw } = this
    await raw.until(
      () => (parsed = parseMessage(raw.received, this.#read, head, raw.ending === 'FIN')) !== undefined,
      `an answer; so far: ${raw.text.slice(this.#read)}`,
    )
    if (!parsed) throw new Error('unreachable')
    const bytes = raw.received.subarray(this.#read, parsed.end)
    this.#read = parsed.end
    return new ReceivedAnswer(parsed, bytes)
  }

  async exchange(text: string): Promise<ReceivedAnswer> {
    this.send(text)
    return this.answer({ head: text.startsWith('HEAD') })
  }

  /** What has come behind the answers that have been read. */
  get rest(): string {
    return this.raw.text.slice(this.#read)
  }
}

export class ReceivedAnswer {
  readonly status: number
  readonly startLine: string
  readonly head: string
  readonly body: string
  readonly bytes: Buffer

  constructor({ startLine, head, body }: ParsedMessage, bytes: Buffer) {
    this.startLine = startLine
    this.status = Number(startLine.split(' ')[1])
    this.head = head
    this.body = body.toString('latin1')
    this.bytes = bytes
  }

  /** All values of a header. */
  headers(name: string): string[] {
    const lines = this.head.split('\r\n').filter((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    return lines.map((line) => line.slice(name.length + 1).trim())
  }
}

// ---- all together --------------------------------------------------------------------------------------------------

export interface HttpProxied extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  readonly upstream: HttpUpstream
  /** `http://127.0.0.1:port` of the proxy. */
  readonly url: string
  connect(): Promise<HttpClient>
  /** What has been put on record: `answer`, `delay` … */
  actions(): string[]
}

export interface HttpProxiedOptions extends NetworkOptions {
  readonly respond?: Respond
  readonly proxyOptions?: Partial<ProxySpec>
}

/** @param faults in place before the first connection */
export async function startHttp(
  faults: readonly FaultSpec[] = [],
  { respond, proxyOptions, ...options }: HttpProxiedOptions = {},
): Promise<HttpProxied> {
  const upstream = await HttpUpstream.start(respond)
  const network = new Network({ seed: 1, ...options })
  const proxy = await network.createProxy({
    name: 'p',
    protocol: 'http',
    upstream: upstream.address,
    faults,
    ...proxyOptions,
  })
  return {
    network,
    proxy,
    upstream,
    url: `http://127.0.0.1:${portOf(proxy)}`,
    connect: async () => new HttpClient(await RawSocket.connect(portOf(proxy))),
    actions: () => network.injections.entries().map(({ action }) => action),
    async [Symbol.asyncDispose]() {
      await network.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}
