// Which packets are lost: a channel that is good or bad, and loses all packets while it is bad.

/**
 * The channel of one direction (E. Gilbert: Capacity of a Burst-Noise Channel, 1960; with E. Elliott's bad state at a
 * loss of 1). On average it loses a share of `loss` of the packets, `burst` of them in a row.
 *
 * The caller brings the random numbers, one a packet. Losses that are independent of each other come in rows of
 * 1 / (1 - loss) on average; at that burst or less a packet's fate depends on its own number alone.
 */
export class GilbertElliott {
  #bad = false
  #loss = 0
  #toBad = 0
  #staysBad = 0

  /** A bad spell goes on through a change. */
  configure(loss: number, burst: number): void {
    this.#loss = loss
    const meanBurst = Math.max(burst, 1 / (1 - loss))
    this.#toBad = loss / (meanBurst * (1 - loss))
    this.#staysBad = 1 - 1 / meanBurst
  }

  /** @param uniform a random number in [0, 1) that belongs to this packet */
  loses(uniform: number): boolean {
    if (this.#loss <= 0) this.#bad = false
    else if (this.#loss >= 1) this.#bad = true
    else this.#bad = uniform < (this.#bad ? this.#staysBad : this.#toBad)
    return this.#bad
  }
}
