// What proxies leave of the messages that pass through them: every exchange straight and through each, compared. No
// rounds: an exchange is the same or it is not.

import { exchanges } from '../transparency/exchanges.mjs'
import { difference, play, straight } from '../transparency/transparency.mjs'

/** An exchange takes milliseconds: what has not come after this will not come. */
const patienceMs = 1000

const names = new Set(['faultline-http', 'faultline-http+rule', 'haproxy-http', 'http-proxy'])

/**
 * @typedef {object} Finding of one exchange
 * @property {string} row
 * @property {string} exchange
 * @property {Record<string, import('../transparency/transparency.mjs').Difference | null>} targets null = could not be
 * played
 */

/** @type {import('./scenario.mjs').Scenario} */
export const transparency = {
  name: 'transparency',
  title: 'What arrives of a message, byte for byte, compared with no proxy',
  takes: (target) => names.has(target.name),

  async run({ targets, fail, progress }) {
    /** @type {Finding[]} */
    const findings = []
    for (const exchange of exchanges) {
      progress(`${exchange.row}, ${exchange.name}`)
      const direct = await play(exchange, straight)
      if (direct.inVain !== null) throw new Error(`${exchange.row}, without a proxy: ${direct.inVain}`)
      const found = await Promise.all(
        targets.map(async (target) => [target.name, await compare(exchange, direct, target, fail)]),
      )
      findings.push({ row: exchange.row, exchange: exchange.name, targets: Object.fromEntries(found) })
    }
    return { load: `${exchanges.length} scripted exchanges over raw sockets`, groups: [], findings }
  },
}

/** A proxy of its own for each exchange: what one leaves open or breaks is not the next one's trouble. */
async function compare(exchange, direct, target, fail) {
  const startWay = (upstreamPort) => target.start({ upstreamPort, maxConnections: 10 })
  try {
    return difference(direct, await play(exchange, startWay, { patienceMs }), exchange.about)
  } catch (error) {
    fail(`${exchange.row}, ${target.name}: ${error.message}`)
    return null
  }
}
