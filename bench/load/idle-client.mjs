// Helper: opens connections, a bounded number at a time, proves each one from end to end by one byte each way, and holds
// them until told to close them.

import { connect } from 'node:net'
import { answerRequests } from '../helper.mjs'

const openedAtATime = 64
const proofTimeoutMs = 10_000
const held = new Set()

answerRequests(async (request) => {
  if (request.type === 'open') return openMany(request.port, request.count)
  if (request.type === 'closeAll') return closeAll()
  throw new Error(`unknown request ${request.type}`)
})

async function openMany(port, count) {
  let left = count
  const worker = async () => {
    while (left-- > 0) await openOne(port)
  }
  await Promise.all(Array.from({ length: openedAtATime }, worker))
}

function openOne(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    held.add(socket)
    const timer = setTimeout(() => socket.destroy(new Error('a connection got no answer')), proofTimeoutMs)
    socket.once('error', reject)
    socket.once('close', () => {
      held.delete(socket)
      clearTimeout(timer)
      reject(new Error('a connection was closed'))
    })
    socket.once('data', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.write('h')
  })
}

async function closeAll() {
  const closed = [...held].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
  for (const socket of held) socket.destroy()
  await Promise.all(closed)
}
