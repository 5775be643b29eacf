// Requests to the admin server as no well-behaved client would send them.
import { once } from 'node:events'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { RawSocket } from './sockets.ts'

export interface AdminRequest {
  readonly method?: string
  readonly path: string
  /** Host may be set, too: fetch() would not send it. */
  readonly headers?: Readonly<Record<string, string>>
  /** As it is sent. */
  readonly body?: string
}

export interface AdminAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** Parsed, if it is JSON. */
  readonly body: any
}

export async function send(url: string, { method = 'GET', path, headers, body }: AdminRequest): Promise<AdminAnswer> {
  const { hostname: host, port } = new URL(url)
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const request = httpRequest({ host, port, method, path, headers: { ...length, ...headers }, agent: false })
  request.end(body)
  const [response] = await once(request, 'response')
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += String(chunk)
  return { status: response.statusCode, headers: response.headers, text, body: parse(text) }
}

/** Sends bytes, and reads until the server closes. For what node:http refuses to send. */
export async function sendRaw(url: string, bytes: string): Promise<AdminAnswer> {
  const socket = await RawSocket.connect(Number(new URL(url).port))
  const ended = once(socket.socket, 'end')
  socket.write(bytes)
  await ended
  socket.socket.destroy()
  const [head = '', text = ''] = socket.text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(': ', 2) as [string, string]))
  return { status: Number(statusLine.split(' ')[1]), headers, text, body: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
