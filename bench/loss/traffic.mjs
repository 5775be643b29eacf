// Both ends of the measured workloads over real sockets: the server that answers, the clients that time it. They share
// the bench's process; the proxy between them has its own.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { host } from '../network.mjs'
import { EXCHANGES } from './workloads.mjs'

const BLOCK = Buffer.alloc(64 * 1024, 'x')
/** The first byte of a connection says what is to happen on it. */
const MODES = { pingpong: 'p', resp100k: 'r', bulk: 'b' }
/**
 * How long exchanges that were begun in time may take to end. Five lost packets in a row cost 6.2 s, six 12.6 s, so this
 * leaves out only what a dead link leaves.
 */
const PATIENCE_MS = 60_000

/** @returns {Promise<{ port: number, startBulk: () => void, close: () => void }>} */
export async function startServer() {
  const waiting = new Set()
  const sockets = new Set()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      sockets.delete(socket)
      waiting.delete(socket)
    })
    socket.once('data', (chunk) => {
      const mode = String.fromCharCode(chunk[0])
      if (mode === MODES.bulk) waiting.add(socket)
      else answer(socket, mode === MODES.pingpong ? EXCHANGES.pingpong : EXCHANGES.resp100k)
      socket.resume()
      socket.write(mode)
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: server.address().port,
    /** From now on every waiting bulk connection is sent as much as it takes. */
    startBulk() {
      for (const socket of waiting) fill(socket)
      waiting.clear()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

function answer(socket, { requestBytes, answerBytes }) {
  const whole = Buffer.alloc(answerBytes, 'a')
  let missing = requestBytes
  socket.on('data', (chunk) => {
    missing -= chunk.length
    if (missing > 0) return
    missing = requestBytes
    socket.write(whole)
  })
}

function fill(socket) {
  const write = () => {
    while (!socket.destroyed && socket.write(BLOCK));
  }
  socket.on('drain', write)
  write()
}

/**
 * Opens connections and has a byte answered on each, so that they are through to the server: what was measured are
 * connections that were there already.
 */
export async function openConnections(port, workload, count) {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect({ port, host, noDelay: true })
      socket.write(MODES[workload])
      await once(socket, 'data')
      return socket
    }),
  )
}

/**
 * A closed loop on every connection. Requests are sent for `seconds`, and those under way then are waited for: to leave
 * them out would leave out the slowest, as a long exchange is the likeliest to be under way at any moment.
 *
 * @returns {Promise<{ timesMs: number[], unfinished: number }>}
 */
export async function timeExchanges(sockets, { requestBytes, answerBytes }, seconds) {
  const request = Buffer.alloc(requestBytes, 'q')
  const endMs = performance.now() + seconds * 1000
  const timesMs = []
  let unfinished = 0
  const conversation = (socket) => {
    return new Promise((resolve, reject) => {
      let startedMs = performance.now()
      let missing = answerBytes
      const giveUp = setTimeout(
        () => {
          unfinished++
          resolve()
        },
        endMs - startedMs + PATIENCE_MS,
      )
      socket.on('data', (chunk) => {
        missing -= chunk.length
        if (missing > 0) return
        const nowMs = performance.now()
        timesMs.push(nowMs - startedMs)
        if (nowMs >= endMs) {
          clearTimeout(giveUp)
          return resolve()
        }
        missing = answerBytes
        startedMs = nowMs
        socket.write(request)
      })
      socket.once('error', reject)
      socket.once('end', () => reject(new Error('the connection was closed')))
      socket.write(request)
    })
  }
  await Promise.all(sockets.map(conversation))
  return { timesMs, unfinished }
}

/** @returns {Promise<number[]>} the bytes that each connection receives in `seconds` */
export async function countBytes(sockets, seconds, start) {
  const bytes = sockets.map(() => 0)
  for (const [index, socket] of sockets.entries()) socket.on('data', (chunk) => (bytes[index] += chunk.length))
  start()
  await delay(seconds * 1000)
  return bytes
}
