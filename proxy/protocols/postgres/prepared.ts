// The prepared statements and portals of a connection, as far as its client's messages tell.
import { MessageReader, STATEMENT, type Text } from './wire.ts'

export interface Prepared {
  /** '' is the unnamed one. */
  readonly name: string
  /** Undefined if it is too long to be looked at. */
  readonly text: Text | undefined
}

export interface Portal {
  readonly statement: Prepared | undefined
  /**
   * The Bind message, a character a byte: a small Buffer would keep 8 KiB of Node's pool. Undefined if it is too long to be
   * looked at.
   */
  readonly bind: string | undefined
}

/** What is kept of either at most; then the oldest are forgotten, and nothing matches them any more. */
const MAX_KEPT = { entries: 10_000, bytes: 8 * 1024 * 1024 }

/** Remembers by name within {@link MAX_KEPT}. */
class Names<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly bytes: number }>()
  #bytes = 0

  get(name: string): Value | undefined {
    return this.#entries.get(name)?.value
  }

  set(name: string, value: Value, bytes: number): void {
    this.delete(name)
    this.#entries.set(name, { value, bytes })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= MAX_KEPT.entries && this.#bytes <= MAX_KEPT.bytes) return
      this.delete(oldest)
    }
  }

  delete(name: string): void {
    const entry = this.#entries.get(name)
    if (!entry) return
    this.#entries.delete(name)
    this.#bytes -= entry.bytes
  }

  clear(): void {
    // Called with each transaction, and clearing an empty map is not free.
    if (this.#entries.size === 0) return
    this.#entries.clear()
    this.#bytes = 0
  }
}

export class PreparedStatements {
  readonly #statements = new Names<Prepared>()
  readonly #portals = new Names<Portal>()

  /** @param message a Parse */
  parse(message: Buffer): Prepared {
    const reader = new MessageReader(message)
    const prepared = { name: reader.string(), text: reader.text() }
    this.#statements.set(prepared.name, prepared, message.length)
    return prepared
  }

  /** @param message a Bind */
  bind(message: Buffer): Portal {
    const reader = new MessageReader(message)
    const name = reader.string()
    const portal = { statement: this.#statements.get(reader.string()), bind: message.toString('latin1') }
    this.#portals.set(name, portal, message.length)
    return portal
  }

  statement(name: string): Prepared | undefined {
    return this.#statements.get(name)
  }

  portal(name: string): Portal | undefined {
    return this.#portals.get(name)
  }

  /** @param message a Close */
  close(message: Buffer): void {
    const reader = new MessageReader(message)
    const ofStatement = reader.byte() === STATEMENT
    ;(ofStatement ? this.#statements : this.#portals).delete(reader.string())
  }

  /** A message that is too long to be looked at has named something, nobody knows what. */
  forget(what: 'statement' | 'portal'): void {
    // Nearly all clients use the unnamed ones.
    if (what === 'statement') this.#statements.set('', { name: '', text: undefined }, 0)
    else this.#portals.set('', { statement: undefined, bind: undefined }, 0)
  }

  /** Portals end with their transaction. */
  transactionEnded(): void {
    this.#portals.clear()
  }
}

/** The parameters' values of a Bind as they are on the wire; null for NULL. */
export function parametersOf(bind: string | undefined): (Buffer | null)[] {
  if (bind === undefined) return []
  const reader = new MessageReader(Buffer.from(bind, 'latin1'))
  reader.string()
  reader.string()
  const formats = reader.int16()
  reader.bytes(formats * 2)
  const count = reader.int16()
  const values: (Buffer | null)[] = []
  for (let index = 0; index < count && reader.left > 0; index++) {
    const length = reader.int32()
    values.push(length < 0 ? null : reader.bytes(length))
  }
  return values
}
