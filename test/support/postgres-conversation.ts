// A client that speaks Postgres' protocol itself and writes down every message of the server: tests compare what is
// said through a proxy with what a server says by itself.
import { once } from 'node:events'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { readMessages, type BackendMessage } from './postgres-backend.ts'
import * as frontend from './postgres-frontend.ts'
import { ScramClient } from './postgres-scram.ts'
import { RawSocket, type Ending } from './sockets.ts'

export interface ConversationOptions {
  readonly port: number
  /** Default: 127.0.0.1. */
  readonly host?: string
  /** Default: postgres. */
  readonly user?: string
  /** Default: postgres. */
  readonly database?: string
  /** For SCRAM-SHA-256 and clear text. */
  readonly password?: string
  /** More startup parameters, e.g. `{ default_transaction_isolation: 'repeatable read' }`. */
  readonly parameters?: Readonly<Record<string, string>>
  /** E.g. `0x0003_0002` for 3.2. Default: 3.0. */
  readonly version?: number
  /** Asks for TLS and begins it; fails if the server refuses. */
  readonly tls?: ConnectionOptions
}

export class PostgresConversation implements AsyncDisposable {
  readonly #socket: RawSocket
  /** Everything the server has said, unless {@link PostgresConversation.forget} was called. */
  #messages: BackendMessage[] = []
  #readBytes = 0
  #left: Buffer = Buffer.alloc(0)
  #keyDataBytes: Buffer | undefined

  private constructor(socket: RawSocket) {
    this.#socket = socket
  }

  /** Connects and logs in, up to the first ReadyForQuery. Fails if the server says an error instead. */
  static async connect(options: ConversationOptions): Promise<PostgresConversation> {
    const conversation = await PostgresConversation.begin(options)
    await conversation.until(
      (messages) => messages.some(({ type }) => type === 'Z' || type === 'E'),
      'ReadyForQuery or an error',
    )
    const error = conversation.messages.find(({ type }) => type === 'E')
    if (error) throw new Error(`no login: ${error.summary}`)
    return conversation
  }

  /** Connects and answers what the server asks for a password, but does not wait for success: for failures at startup. */
  static async begin(options: ConversationOptions): Promise<PostgresConversation> {
    const { port, host, user = 'postgres', database = 'postgres', password, parameters, version, tls } = options
    const plain = await RawSocket.connect(port, host)
    const socket = tls ? await secured(plain, tls) : plain
    const conversation = new PostgresConversation(socket)
    conversation.send(frontend.startup({ user, database, ...parameters }, version))
    if (password !== undefined) await conversation.#authenticate(password)
    return conversation
  }

  get messages(): readonly BackendMessage[] {
    const { received } = this.#socket
    const { messages, left } = readMessages(received.subarray(this.#readBytes))
    this.#readBytes = received.length - left.length
    this.#left = left
    this.#messages.push(...messages)
    return this.#messages
  }

  /** The beginning of a message that has not come to its end. */
  get unfinished(): Buffer {
    void this.messages
    return this.#left
  }

  get ending(): Ending {
    return this.#socket.ending
  }

  /** For what else there is to do to it: pause reading, end, reset. */
  get socket(): RawSocket {
    return this.#socket
  }

  /** As BackendKeyData said: what `pg_terminate_backend` takes. */
  get processId(): number {
    return this.#keyData.readInt32BE(5)
  }

  /** What CancelRequest takes. */
  get cancelKey(): Buffer {
    return this.#keyData.subarray(9)
  }

  /** Sends messages of `postgres-frontend.ts` in one piece. */
  send(...messages: readonly Buffer[]): void {
    this.#socket.write(Buffer.concat(messages))
  }

  /** Sends, and waits for so many ReadyForQuery. Returns the messages that came since. */
  async ask(messages: readonly Buffer[], readyCount = 1): Promise<readonly BackendMessage[]> {
    const before = this.messages.length
    this.send(...messages)
    await this.until((all) => countReady(all.slice(before)) >= readyCount, `${readyCount} ReadyForQuery`)
    return this.messages.slice(before)
  }

  /** Sends a simple query and waits for ReadyForQuery. */
  query(sql: string): Promise<readonly BackendMessage[]> {
    return this.ask([frontend.query(sql)])
  }

  /** Forgets what was said so far, so that only what follows is compared. BackendKeyData stays known. */
  forget(): void {
    void this.#keyData
    this.#messages = []
  }

  async until(
    condition: (messages: readonly BackendMessage[]) => boolean,
    what: string,
    timeoutMs?: number,
  ): Promise<void> {
    const ended = (): boolean => this.#socket.ending !== 'open'
    await this.#socket.until(() => condition(this.messages) || ended(), what, timeoutMs)
    if (condition(this.messages)) return
    const seen = this.messages.map(({ type, summary }) => `${type} ${summary}`)
    throw new Error(`the connection ended (${this.ending}) before ${what}; seen: ${seen.join(' | ')}`)
  }

  /** Waits for so many messages in all. */
  untilCount(count: number): Promise<void> {
    return this.until((messages) => messages.length >= count, `${count} messages`)
  }

  /** Waits for so many ReadyForQuery in all. */
  untilReady(count = 1): Promise<void> {
    return this.until((messages) => countReady(messages) >= count, `${count} ReadyForQuery`)
  }

  /** Waits for the server's end of the connection and tells FIN from RST. */
  untilEnded(timeoutMs?: number): Promise<Ending> {
    return this.#socket.untilEnded(timeoutMs)
  }

  /** As clients leave: Terminate, then FIN. */
  async leave(): Promise<void> {
    this.#socket.end(frontend.terminate())
    await this.untilEnded()
    this.#socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
  }

  get #keyData(): Buffer {
    this.#keyDataBytes ??= this.messages.find(({ type }) => type === 'K')?.bytes
    if (!this.#keyDataBytes) throw new Error('the server has not said BackendKeyData')
    return this.#keyDataBytes
  }

  /** PostgreSQL documentation, chapters 54.2.1 and 54.3. */
  async #authenticate(password: string): Promise<void> {
    let scram: ScramClient | undefined
    for (let count = 1; ; count++) {
      await this.untilCount(count)
      const { type, summary, bytes } = this.messages[count - 1]!
      const [method] = summary.split(' ')
      if (type !== 'R' || method === 'Ok') return
      if (method === 'CleartextPassword') this.send(frontend.password(password))
      else if (method === 'SASL') {
        scram = new ScramClient(password)
        this.send(frontend.saslInitialResponse('SCRAM-SHA-256', scram.first))
      } else if (method === 'SASLContinue' && scram) {
        this.send(frontend.saslResponse(scram.final(bytes.toString('utf8', 9))))
      } else if (method !== 'SASLFinal') throw new Error(`cannot answer authentication ${summary}`)
    }
  }
}

/**
 * A CancelRequest on a connection of its own; over when the server has closed it.
 *
 * @param port the server's or a proxy's
 */
export async function cancel(port: number, { processId, cancelKey }: PostgresConversation): Promise<Ending> {
  const socket = await RawSocket.connect(port)
  socket.write(frontend.cancelRequest(processId, cancelKey))
  const ending = await socket.untilEnded()
  socket.destroy()
  return ending
}

function countReady(messages: readonly BackendMessage[]): number {
  return messages.filter(({ type }) => type === 'Z').length
}

/** SSLRequest is answered by one byte without a length, by `S` or `N`. */
async function secured(plain: RawSocket, options: ConnectionOptions): Promise<RawSocket> {
  plain.write(frontend.sslRequest())
  await plain.untilBytes(1)
  if (plain.text !== 'S') throw new Error(`TLS was refused: ${plain.text}`)
  plain.socket.removeAllListeners('data')
  const socket = connectTls({ ...options, socket: plain.socket })
  await once(socket, 'secureConnect')
  return new RawSocket(socket)
}
