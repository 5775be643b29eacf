// A server of server-sent events, whose answers the test writes, a client that reads them, and a proxy between them.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fetch } from 'undici'
import { Network, type FaultProxy, type FaultSpec, type NetworkOptions } from '../../proxy/index.ts'
import { portOf } from './proxied.ts'
import { untilTrue } from './stream-faults.ts'

/** An answer on its way: what the server writes, and what the client has read of it. */
export class Stream {
  readonly response: http.ServerResponse
  /** Of the client. */
  status = 0
  headers: Record<string, string> = {}
  text = ''
  ending: 'open' | 'end' | 'error' = 'open'
  readonly #abort = new AbortController()

  constructor(response: http.ServerResponse) {
    this.response = response
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** The data of the events that have come. */
  get events(): string[] {
    return [...this.text.matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? '')
  }

  /** Sends each as an event of its own, in one chunk. */
  send(...events: string[]): void {
    for (const data of events) this.response.write(`data: ${data}\n\n`)
  }

  /** Waits until the last event is this one. */
  async until(data: string): Promise<void> {
    await untilTrue(() => this.events.at(-1) === data, `event ${data}; seen: ${this.events.slice(-20).join(', ')}`)
  }

  async untilEnded(): Promise<'end' | 'error'> {
    await untilTrue(() => this.ending !== 'open', 'the end of the stream')
    return this.ending as 'end' | 'error'
  }

  cancel(): void {
    this.#abort.abort()
  }
}

export interface SseProxied extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  /** Asks for a stream, and waits for the head of the answer, which has these headers. */
  open(path?: string, headers?: Record<string, string>): Promise<Stream>
}

/** @param faults in place before the first connection */
export async function startSse(faults: readonly FaultSpec[] = [], options: NetworkOptions = {}): Promise<SseProxied> {
  const server = http.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const network = new Network({ seed: 1, ...options })
  const upstream = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'http', upstream, faults })
  const streams: Stream[] = []
  return {
    network,
    proxy,
    async open(path = '/events', headers = { 'Content-Type': 'text/event-stream' }) {
      const asked = once(server, 'request') as Promise<[http.IncomingMessage, http.ServerResponse]>
      const url = `http://127.0.0.1:${portOf(proxy)}${path}`
      const controller = new AbortController()
      const answered = fetch(url, { signal: controller.signal })
      answered.catch(() => {})
      const [, response] = await asked
      const stream = new Stream(response)
      stream.signal.addEventListener('abort', () => controller.abort())
      streams.push(stream)
      response.writeHead(200, headers).flushHeaders()
      const answer = await answered
      stream.status = answer.status
      stream.headers = Object.fromEntries(answer.headers)
      void (async () => {
        const decoder = new TextDecoder()
        for await (const chunk of answer.body ?? [])
          stream.text += decoder.decode(chunk as Uint8Array, { stream: true })
      })().then(
        () => (stream.ending = 'end'),
        () => (stream.ending = 'error'),
      )
      return stream
    },
    async [Symbol.asyncDispose]() {
      for (const stream of streams) stream.cancel()
      await network.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
