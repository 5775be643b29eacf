// Plays an exchange through something and straight, and says in what the two differ.

import { connectEnd, InVain, ServerEnd } from './ends.mjs'
import { differenceOfBytes } from './words.mjs'

/**
 * @typedef {object} Exchange
 * @property {string} row of the table of transparency
 * @property {string} name unique in its row
 * @property {'bytes' | 'endings'} about whether it is about how connections end, too
 * @property {(ends: { client: import('./ends.mjs').End, server: ServerEnd }) => Promise<void>} play
 *
 * @typedef {object} Seen what the ends of an exchange have seen
 * @property {{ received: string, ending: string }} client
 * @property {{ received: string, ending: string }[]} server one for each connection that brought something
 * @property {string | null} inVain what did not come
 */

/** For how long both ends may have nothing more to say to each other before they are taken apart. */
const quietMs = 300

/**
 * @param {Exchange} exchange
 * @param {(serverPort: number) => Promise<{ port: number, stop: () => Promise<void> }>} startWay what leads to the server
 * @param {{ patienceMs?: number, pieceBytes?: number }} [manners]
 * @returns {Promise<Seen>}
 */
export async function play(exchange, startWay, { patienceMs = 5000, pieceBytes = Infinity } = {}) {
  const server = await ServerEnd.start({ patienceMs, pieceBytes })
  const way = await startWay(server.port)
  const client = await connectEnd(way.port, { patienceMs, pieceBytes })
  let inVain = null
  try {
    await exchange.play({ client, server })
  } catch (error) {
    if (!(error instanceof InVain)) throw error
    inVain = error.message
  }
  await endAll(client, server)
  const seen = {
    client: { received: client.received, ending: client.ending },
    server: server.connections
      .filter(({ received }) => received !== '')
      .map(({ received, ending }) => ({ received, ending })),
    inVain,
  }
  client.destroy()
  await way.stop()
  await server.close()
  return seen
}

/** There is nothing between the ends. */
export const straight = async (serverPort) => ({ port: serverPort, stop: async () => {} })

/** The client closes, the server follows: with a proxy that keeps its connections open, after a while. */
async function endAll(client, server) {
  client.end()
  const ended = Promise.allSettled(server.connections.map((connection) => connection.untilEnded()))
  await Promise.race([ended, delay(quietMs)])
  for (const connection of server.connections) connection.end()
  await Promise.race([client.untilEnded().catch(() => {}), delay(quietMs)])
}

function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/**
 * @typedef {object} Difference
 * @property {string[]} taste case and order of headers, and what a proxy may call its own: nobody should mind
 * @property {string[]} substance
 */

/**
 * @param {Seen} direct
 * @param {Seen} other
 * @param {Exchange['about']} about
 * @returns {Difference} in words; both empty when they are the same
 */
export function difference(direct, other, about) {
  if (about === 'endings' && other.inVain !== null) return { taste: [], substance: [other.inVain] }
  const up = differenceOfBytes(toServer(direct), toServer(other))
  const down = differenceOfBytes(direct.client.received, other.client.received)
  const substance = [...inDirection('to the server', up), ...inDirection('to the client', down)]
  const connections = other.server.length
  if (connections > 1 && direct.server.length === 1) substance.push(`${connections} connections to the server`)
  if (about === 'endings') {
    for (const [index, { ending }] of direct.server.entries()) {
      substance.push(...differenceOfEndings('server', ending, other.server[index]?.ending))
    }
    substance.push(...differenceOfEndings('client', direct.client.ending, other.client.ending))
  }
  if (substance.length === 0 && other.inVain !== null) substance.push(other.inVain)
  return { taste: [...new Set([...up.taste, ...down.taste])], substance }
}

function inDirection(where, { substance }) {
  return substance.length === 0 ? [] : [`${where}: ${substance.join(', ')}`]
}

function differenceOfEndings(who, direct, other) {
  return other === direct || other === undefined ? [] : [`the ${who} sees ${word(other)} instead of ${word(direct)}`]
}

function toServer({ server }) {
  return server.map(({ received }) => received).join('')
}

function word(ending) {
  if (ending === 'ECONNRESET') return 'RST'
  return ending === 'open' ? 'no end' : ending
}
