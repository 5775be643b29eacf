// Finding free ports and waiting for somebody to listen on them. Everything is on 127.0.0.1.

import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

export const host = '127.0.0.1'

// Below the range from which Linux takes the ports of outgoing connections, so that no connection of a running
// measurement can take a port between the moment it is found free and the moment its program listens on it.
const firstPort = 20_000
const lastPort = 31_999
const attempts = 200
const given = new Set()

/** @returns {Promise<number>} a port that nobody listens on, never the same twice */
export async function freePort() {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const port = firstPort + Math.floor(Math.random() * (lastPort - firstPort + 1))
    if (given.has(port) || !(await canListen(port))) continue
    given.add(port)
    return port
  }
  throw new Error(`no free port found between ${firstPort} and ${lastPort}`)
}

function canListen(port) {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

/**
 * Waits until a program accepts connections.
 *
 * @param {number} port
 * @param {import('./children.mjs').Program} program
 * @throws {Error} when it ends before, or has not listened after 10 s
 */
export async function waitUntilListening(port, program) {
  for (let attempt = 0; attempt < 400; attempt++) {
    if (program.hasEnded()) throw new Error(program.lastWords())
    if (await canConnect(port)) return
    await delay(25)
  }
  await program.stop()
  throw new Error(`it did not listen on port ${port} within 10 s; ${program.lastWords()}`)
}

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
