// Where connections go: a name's addresses, asked for once and again when they don't answer, not for each connection.
import { lookup } from 'node:dns/promises'

/** A service that was started anew has another address after about so long. */
const RESOLVE_AGAIN_MS = 1000

export class Target {
  readonly port: number
  readonly #host: string
  #addresses: readonly string[]
  #resolvedMs = performance.now()

  private constructor(host: string, port: number, addresses: readonly string[]) {
    this.#host = host
    this.port = port
    this.#addresses = addresses
  }

  /** @throws if the name has no address */
  static async resolve(host: string, port: number): Promise<Target> {
    return new Target(host, port, await addressesOf(host))
  }

  get address(): string {
    return this.#addresses[0] ?? this.#host
  }

  /** Nobody is there: the next address comes first, and soon the name is asked for again. */
  avoid(address: string): void {
    if (address === this.address) this.#addresses = [...this.#addresses.slice(1), address]
    if (performance.now() - this.#resolvedMs < RESOLVE_AGAIN_MS) return
    this.#resolvedMs = performance.now()
    // If that fails, those that are known may still come back.
    addressesOf(this.#host).then(
      (addresses) => this.#replace(addresses),
      () => undefined,
    )
  }

  #replace(addresses: readonly string[]): void {
    const isSame =
      addresses.length === this.#addresses.length && addresses.every((one) => this.#addresses.includes(one))
    if (!isSame) this.#addresses = addresses
  }
}

async function addressesOf(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, verbatim: true })
  return found.map(({ address }) => address)
}
