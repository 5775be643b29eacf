// Helper: a TCP server that does with a connection what its first byte asks for. `e` echoes, `s` sends without end,
// `k` counts what it gets, `h` answers one byte and holds the connection.

import { createServer } from 'node:net'
import { answerRequests } from '../helper.mjs'

const block = Buffer.alloc(256 * 1024, 'x')
/** What the last `k` connection got, and when its first and last bytes came. */
let sunk = { bytes: 0, firstNanos: 0n, lastNanos: 0n }

const modes = {
  e: (socket, rest) => {
    if (rest.length > 0) socket.write(rest)
    socket.on('data', (chunk) => socket.write(chunk))
  },
  s: (socket) => {
    const fill = () => {
      while (!socket.destroyed && socket.write(block));
    }
    socket.on('drain', fill)
    fill()
  },
  k: (socket, rest) => {
    const now = process.hrtime.bigint()
    const counted = { bytes: rest.length, firstNanos: now, lastNanos: now }
    sunk = counted
    socket.on('data', (chunk) => {
      counted.bytes += chunk.length
      counted.lastNanos = process.hrtime.bigint()
    })
  },
  h: (socket) => {
    socket.write('h')
    socket.resume()
  },
}

const server = createServer({ noDelay: true }, (socket) => {
  socket.on('error', () => socket.destroy())
  socket.once('data', (chunk) => {
    const mode = modes[String.fromCharCode(chunk[0])]
    if (mode === undefined) socket.destroy()
    else mode(socket, chunk.subarray(1))
  })
})

answerRequests((request) => {
  switch (request.type) {
    case 'listen':
      return new Promise((resolve) => server.listen({ port: request.port, host: '127.0.0.1', backlog: 4096 }, resolve))
    case 'countConnections':
      return new Promise((resolve, reject) => {
        server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
      })
    case 'sunk':
      return { bytes: sunk.bytes, seconds: Number(sunk.lastNanos - sunk.firstNanos) / 1e9 }
    default:
      throw new Error(`unknown request ${request.type}`)
  }
})
