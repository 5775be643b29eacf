// What loss does to connecting: how long the handshake's retries take.
import type { Random } from '../../random.ts'

/**
 * When a client sends its SYN, in milliseconds after connect(): five times a second apart, then at doubling distances
 * (Linux since 6.5: tcp_syn_linear_timeouts 4, tcp_syn_retries 6).
 */
const SYN_MS = [0, 1_000, 2_000, 3_000, 4_000, 5_000, 7_000, 11_000, 19_000, 35_000, 67_000]
/** When a server repeats its SYN-ACK, after the first (RFC 6298's timeout of 1 s, doubled; tcp_synack_retries 5). */
const SYN_ACK_REPEAT_MS = [1_000, 3_000, 7_000, 15_000, 31_000]

/**
 * The time by which loss delays a new connection's handshake, beyond the round trip that it takes anyway: mostly 0, else
 * about 1, 2, 3, 4, 5 or 7 seconds. `Infinity` if no try gets through: the client gives up after 131 s.
 *
 * @param upstreamLoss the share of SYNs lost, 0 to 1
 * @param downstreamLoss the share of SYN-ACKs lost, 0 to 1
 * @param random one number is taken from it for each packet
 */
export function handshakeDelayMs(upstreamLoss: number, downstreamLoss: number, random: Random): number {
  let firstArrivalMs: number | undefined
  for (const [attempt, synMs] of SYN_MS.entries()) {
    if (random.next() >= upstreamLoss) {
      firstArrivalMs ??= synMs
      if (random.next() >= downstreamLoss) return synMs
    }
    if (firstArrivalMs === undefined) continue
    // The server repeats its answer by its own timer until the client's next SYN.
    const untilMs = SYN_MS[attempt + 1] ?? Infinity
    for (const repeatMs of SYN_ACK_REPEAT_MS) {
      const answerMs = firstArrivalMs + repeatMs
      if (answerMs > synMs && answerMs <= untilMs && random.next() >= downstreamLoss) return answerMs
    }
  }
  return Infinity
}
