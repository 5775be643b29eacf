// Helper: the client's side of the stream server, for bulk transfers and measured rates.

import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answerRequests } from '../helper.mjs'

const block = Buffer.alloc(256 * 1024, 'x')
const readBufferBytes = 256 * 1024

answerRequests((request) => {
  if (request.type === 'upload') return upload(request)
  if (request.type === 'download') return download(request)
  throw new Error(`unknown request ${request.type}`)
})

async function upload({ port, seconds }) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const failed = new Promise((_resolve, reject) => socket.once('error', reject))
  const fill = () => {
    while (!socket.destroyed && socket.write(block));
  }
  socket.on('drain', fill)
  socket.write('k')
  fill()
  await Promise.race([delay(seconds * 1000), failed])
  socket.destroy()
}

/**
 * Receives for a while and tells the rate between two arrivals: the first after the warm-up, whose own bytes do not
 * count, and the last. From arrival to arrival, because a rate that comes as pieces with pauses between them would be
 * off by up to one piece between two instants of our choosing.
 */
async function download({ port, seconds, warmUpSeconds }) {
  const beginNanos = process.hrtime.bigint() + BigInt(Math.round(warmUpSeconds * 1e9))
  let bytes = 0
  let firstNanos = 0n
  let lastNanos = 0n
  const received = (length) => {
    const now = process.hrtime.bigint()
    if (now < beginNanos) return true
    if (firstNanos === 0n) firstNanos = now
    else {
      bytes += length
      lastNanos = now
    }
    return true
  }
  const socket = connect({
    port,
    host: '127.0.0.1',
    onread: { buffer: Buffer.alloc(readBufferBytes), callback: received },
  })
  const failed = new Promise((_resolve, reject) => {
    socket.once('error', reject)
    socket.once('end', () => reject(new Error('the server or the proxy closed the connection')))
  })
  socket.write('s')
  await Promise.race([delay((warmUpSeconds + seconds) * 1000), failed])
  socket.destroy()
  if (bytes === 0) throw new Error('nothing arrived')
  return { bytes, seconds: Number(lastNanos - firstNanos) / 1e9 }
}
