// Asks a server and hands back what it says. Any status is an answer, and none a failure. Redirects are followed.
import type net from 'node:net'
import { Agent, buildConnector } from 'undici'
import { systemCode } from '../../proxy/errors.ts'
import { AnswerTooLarge, describeFailure } from '../probes/failure.ts'
import { MAX_ANSWER_BYTES } from '../probes/index.ts'
import { ActivityFailed } from './activity-failed.ts'
import { JSON_TYPE, type HttpCall } from './http-provider.ts'

export interface HttpOutput {
  readonly status: number
  /** Names as the server writes them. */
  readonly headers: Readonly<Record<string, string>>
  /** Parsed if its content type is just `application/json`. */
  readonly body: unknown
}

const MAX_REDIRECTIONS = 30 // as requests has it

/**
 * @param shownUrl the URL without values, for messages: they may be secrets
 * @throws ActivityFailed
 */
export async function callHttp(call: HttpCall, shownUrl: unknown, signal: AbortSignal): Promise<HttpOutput> {
  for (let tries = 0; ; tries++) {
    try {
      return await callOnce(call, signal)
    } catch (error) {
      if (signal.aborted) throw new ActivityFailed('interrupted', error)
      if (tries < call.retries && isUnconnected(error)) continue
      if (error instanceof TookTooLong) throw new ActivityFailed('activity took too long to complete', error)
      throw new ActivityFailed(`failed to connect to ${String(shownUrl)}: ${describeFailure(error)}`, error)
    }
  }
}

/** What is asked for, and again after a redirection. */
type Hop = Pick<HttpCall, 'url' | 'method' | 'headers' | 'body'>

async function callOnce(call: HttpCall, signal: AbortSignal): Promise<HttpOutput> {
  const { connectTimeoutMs, answerTimeoutMs } = call
  const patience = new Patience()
  const connector = buildConnector({ timeout: 0, rejectUnauthorized: call.verifyTls })
  const connect: buildConnector.connector = (options, callback) => {
    patience.begin(connectTimeoutMs)
    // Its types do not tell that it returns the socket.
    const connecting: unknown = connector(options, (...outcome) => {
      patience.begin(answerTimeoutMs)
      callback(...outcome)
    })
    patience.sockets.add(connecting as net.Socket)
  }
  const agent = new Agent({ connect, headersTimeout: 0, bodyTimeout: 0 })
  const giveUp = (): void => patience.end('given up')
  signal.addEventListener('abort', giveUp)
  try {
    signal.throwIfAborted()
    return await follow(call, (hop) => {
      patience.begin(answerTimeoutMs)
      return request(agent, hop, () => patience.begin(answerTimeoutMs))
    })
  } catch (error) {
    throw patience.isOver ? new TookTooLong() : error
  } finally {
    signal.removeEventListener('abort', giveUp)
    patience.end('done')
    await agent.destroy()
  }
}

class TookTooLong extends Error {}

/** Ends connections when nothing comes for too long; undici's own timers are a second late. */
class Patience {
  readonly sockets = new Set<net.Socket>()
  isOver = false
  #timer: NodeJS.Timeout | undefined

  /** Anew; 0 = without end. */
  begin(timeoutMs: number): void {
    clearTimeout(this.#timer)
    if (timeoutMs === 0) return
    this.#timer = setTimeout(() => {
      this.isOver = true
      this.end('timeout')
    }, timeoutMs)
  }

  /** Also connections that are being made, which undici would wait for as long as the system tries. */
  end(reason: string): void {
    clearTimeout(this.#timer)
    for (const socket of this.sockets) socket.destroy(new Error(reason))
  }
}

interface Answer extends HttpOutput {
  /** Where it sends on to. */
  readonly location: string | undefined
}

async function request(agent: Agent, { url, method, headers, body }: Hop, arrived: () => void): Promise<Answer> {
  const answer = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method,
    headers,
    body: body ?? null,
    responseHeaders: 'raw',
  })
  const named = nameHeaders(answer.headers as unknown as readonly string[])
  const text = await readText(answer.body, arrived)
  const isSent = [301, 302, 303, 307, 308].includes(answer.statusCode)
  const location = isSent ? headerOf(named, 'location') : undefined
  return { status: answer.statusCode, headers: named, body: readBody(text, headerOf(named, 'content-type')), location }
}

/** As requests does it, up to its maximum. */
async function follow(first: Hop, ask: (hop: Hop) => Promise<Answer>): Promise<HttpOutput> {
  let hop = first
  for (let hops = 0; ; hops++) {
    const { location, ...output } = await ask(hop)
    if (location === undefined || !URL.canParse(location, hop.url.href)) return output
    if (hops === MAX_REDIRECTIONS) throw new Error(`more than ${MAX_REDIRECTIONS} redirections`)
    hop = redirect(hop, new URL(location, hop.url), output.status)
  }
}

function redirect({ url, method, headers, body }: Hop, to: URL, status: number): Hop {
  const becomesGet = method !== 'HEAD' && (status === 303 || status === 302 || (status === 301 && method === 'POST'))
  const { authorization: _authorization, cookie: _cookie, ...others } = headers
  const kept = to.origin === url.origin ? headers : others
  if (!becomesGet) return { url: to, method, headers: kept, body }
  const { 'content-type': _type, ...withoutBody } = kept
  return { url: to, method: 'GET', headers: withoutBody, body: undefined }
}

function nameHeaders(raw: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let at = 0; at < raw.length; at += 2) {
    const name = String(raw[at])
    const value = String(raw[at + 1])
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  return headers
}

function headerOf(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.entries(headers).find(([each]) => each.toLowerCase() === name)?.[1]
}

async function readText(body: AsyncIterable<Buffer>, arrived: () => void): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  arrived()
  for await (const chunk of body) {
    arrived()
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) throw new AnswerTooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function readBody(text: string, type: string | undefined): unknown {
  if (type !== JSON_TYPE) return text
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text // what it says it is does not change what it is
  }
}

/** Nothing has reached the server. */
function isUnconnected(error: unknown): boolean {
  return /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)$/.test(systemCode(error) ?? '')
}
