// Seeded randomness. Every decision draws from a generator keyed by what decides (seed, proxy, connection,
// direction, fault), so that neither other connections nor the order of events can change it.
import { createHash } from 'node:crypto'

const TWO_POW_32 = 2 ** 32

/**
 * A deterministic source of numbers for one key.
 *
 * `next()` walks a sequence; `at(position)` is a function of the position alone, for decisions about bytes: the
 * byte at offset 1000 gets the same answer whichever chunk brings it.
 */
export class Random {
  #state: number
  readonly #salt: number
  readonly #positionSalt: number

  /** The key's parts are hashed together; two keys that differ in any part give independent numbers. */
  constructor(...key: readonly (string | number)[]) {
    const digest = createHash('sha256').update(JSON.stringify(key)).digest()
    this.#state = digest.readUInt32LE(0)
    this.#salt = digest.readUInt32LE(4)
    this.#positionSalt = digest.readUInt32LE(8)
  }

  /** The next number, uniform in [0, 1). */
  next(): number {
    // A Weyl sequence through a mixer: period 2^32, far beyond the draws of one fault on one connection.
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    return mix(this.#state ^ this.#salt) / TWO_POW_32
  }

  /** The number that belongs to `position` (an integer ≥ 0, up to 2^53), uniform in [0, 1). */
  at(position: number): number {
    const low = position >>> 0
    const high = Math.floor(position / TWO_POW_32)
    return mix(mix(low ^ this.#salt) ^ mix(high + 0x85ebca6b) ^ this.#positionSalt) / TWO_POW_32
  }
}

/** A bijective 32-bit mixer with good avalanche (constants: C. Wellons' hash-prospector, "lowbias32"). */
function mix(value: number): number {
  let x = value >>> 0
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}
