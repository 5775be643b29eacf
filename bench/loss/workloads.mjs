// The workloads of the measurements in bench/data/loss, run over a simulated link in virtual time.
import { VirtualClock } from './virtual-clock.mjs'

/** The measured runs ended after 170 to 178 s; what was unfinished then is left out, here as there. */
const DEADLINE_MS = 174_000
/** How long a bulk transfer lasts. */
const BULK_MS = 10_000
/** What a bulk sender keeps waiting: more than a window, so that the application is never the limit. */
const BULK_BACKLOG_BYTES = 8 * 2 ** 20

/** The sizes of a request and its answer. */
export const EXCHANGES = {
  pingpong: { requestBytes: 64, answerBytes: 512 },
  resp100k: { requestBytes: 64, answerBytes: 102_400 },
}

/**
 * Runs one connection after another, each a closed loop: the next request is sent when an answer is complete.
 *
 * @param {import('./compare.mjs').Model} model
 * @returns {number[]} the time of each finished exchange, in milliseconds
 */
export function exchange(model, attributes, { requestBytes, answerBytes }, { connections, exchanges, seed }) {
  const timesMs = []
  for (let connection = 0; connection < connections; connection++) {
    const clock = new VirtualClock()
    let startedMs = 0
    let requestLeft = requestBytes
    let answerLeft = answerBytes
    let finished = 0
    const link = new model.LossyLink({
      clock,
      attributes,
      random: keyed(model, seed, connection),
      events: {
        upstream: {
          deliver(bytes) {
            requestLeft -= bytes
            if (requestLeft > 0) return
            requestLeft = requestBytes
            link.push('downstream', answerBytes)
          },
          end() {},
        },
        downstream: {
          deliver(bytes) {
            answerLeft -= bytes
            if (answerLeft > 0) return
            answerLeft = answerBytes
            timesMs.push(clock.now() - startedMs)
            if (++finished < exchanges) ask()
          },
          end() {},
        },
      },
    })
    const ask = () => {
      startedMs = clock.now()
      link.push('upstream', requestBytes)
    }
    ask()
    clock.run(() => finished < exchanges, DEADLINE_MS)
    link.dispose()
  }
  return timesMs
}

/**
 * Sends from the server to the client for ten seconds.
 *
 * @returns {number[]} the bytes that each connection delivered
 */
export function bulk(model, attributes, { connections, seed }) {
  return Array.from({ length: connections }, (_, connection) => {
    const clock = new VirtualClock()
    let delivered = 0
    const link = new model.LossyLink({
      clock,
      attributes,
      random: keyed(model, seed, connection),
      events: {
        upstream: { deliver() {}, end() {} },
        downstream: {
          deliver(bytes) {
            delivered += bytes
            link.push('downstream', bytes)
          },
          end() {},
        },
      },
    })
    link.push('downstream', BULK_BACKLOG_BYTES)
    clock.run(() => true, BULK_MS)
    link.dispose()
    return delivered
  })
}

/** Connects `connections` times. @returns {number[]} how long each took, in milliseconds */
export function connect(model, attributes, { connections, seed }) {
  return Array.from({ length: connections }, (_, connection) => {
    const random = new model.Random(seed, connection, 'handshake')
    return attributes.rttMs + model.handshakeDelayMs(attributes.upstreamLoss, attributes.downstreamLoss, random)
  })
}

function keyed({ Random }, seed, connection) {
  return {
    upstream: new Random(seed, connection, 'upstream'),
    downstream: new Random(seed, connection, 'downstream'),
  }
}
