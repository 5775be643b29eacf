// Whether a sender was wrong when it took segments for lost: all its retransmissions were in vain.

/** One episode of recovery or loss (RFC 3522 by timestamps, RFC 3708 by D-SACK; Linux: tcp_may_undo). */
export class Undo {
  #active = false
  #retransmitted = false
  /** Retransmissions not known to have been in vain. */
  #open = 0
  #firstRetransmissionMs = Infinity

  /** @param open retransmissions already under way */
  begin(open: number): void {
    this.#active = true
    this.#open = open
    this.#retransmitted = open > 0
    this.#firstRetransmissionMs = Infinity
  }

  forget(): void {
    this.#active = false
  }

  retransmitted(nowMs: number): void {
    this.#retransmitted = true
    this.#open++
    this.#firstRetransmissionMs = Math.min(this.#firstRetransmissionMs, nowMs)
  }

  /** The receiver says that something has arrived twice. */
  duplicateSeen(): void {
    if (this.#open > 0) this.#open--
  }

  /** @param echoMs the timestamp that the latest acknowledgement echoes */
  wasInVain(echoMs: number): boolean {
    return this.#active && this.#retransmitted && (this.#open === 0 || echoMs < this.#firstRetransmissionMs)
  }
}
