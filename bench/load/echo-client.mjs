// Helper: sends small messages on an absolute schedule through one connection to an echo server and times each answer.
// Node's timers are whole milliseconds, too coarse for this, so it goes round its event loop with a nap of 0.05 ms in
// each turn. Without the nap it would occupy a core, and a proxy that the kernel wakes on that core would wait for the
// next scheduler tick: p99 of the baseline was then 1.2 ms in place of 0.7.

import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { answerRequests } from '../helper.mjs'

const messageBytes = 64
const message = Buffer.alloc(messageBytes, 'm')
/** How long to wait for the answers after the last message. */
const patienceMs = 5000
const napMs = 0.05
const napCell = new Int32Array(new SharedArrayBuffer(4))

answerRequests(async ({ port, messages, intervalMs }) => {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const failed = new Promise((_resolve, reject) => {
    socket.once('error', reject)
    socket.once('end', () => reject(new Error('the server or the proxy closed the connection')))
  })
  socket.write('e')
  // The mode byte must have arrived alone, or the first message would be measured with the connecting.
  await Promise.race([delay(300), failed])
  try {
    return await Promise.race([converse(socket, messages, intervalMs), failed])
  } finally {
    socket.destroy()
  }
})

/** @returns {Promise<number[]>} the round-trip times in ms, in the order of the messages */
function converse(socket, messages, intervalMs) {
  const sentMs = new Float64Array(messages)
  const roundTripMs = new Float64Array(messages)
  let sent = 0
  let received = 0
  let receivedBytes = 0
  socket.on('data', (chunk) => {
    const now = nowMs()
    receivedBytes += chunk.length
    const complete = Math.floor(receivedBytes / messageBytes)
    for (; received < complete; received++) roundTripMs[received] = now - sentMs[received]
  })
  return new Promise((resolve, reject) => {
    const beginMs = nowMs() + 10
    const giveUpMs = beginMs + messages * intervalMs + patienceMs
    const turn = () => {
      const now = nowMs()
      if (received === messages) return resolve([...roundTripMs])
      if (now > giveUpMs) return reject(new Error(`${messages - received} of ${messages} messages got no answer`))
      if (sent < messages && now >= beginMs + sent * intervalMs) {
        sentMs[sent++] = now
        socket.write(message)
      }
      Atomics.wait(napCell, 0, 0, napMs)
      setImmediate(turn)
    }
    turn()
  })
}

function nowMs() {
  const [seconds, nanos] = process.hrtime()
  return seconds * 1000 + nanos / 1e6
}
