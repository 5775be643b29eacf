// Helper: a closed-loop HTTP load generator on plain sockets, for machines without wrk. Every connection has one request
// under way. It trusts that all answers are as long as the first one, which holds for the bench's upstreams.

import { connect } from 'node:net'
import { answerRequests } from '../helper.mjs'

const microsPerBucket = 1
const buckets = 2_000_000

answerRequests(async ({ port, connections, seconds, keepAlive }) => {
  const run = {
    port,
    keepAlive,
    request: Buffer.from(`GET / HTTP/1.1\r\nHost: bench\r\n${keepAlive ? '' : 'Connection: close\r\n'}\r\n`),
    histogram: new Uint32Array(buckets),
    requests: 0,
    errors: 0,
    answerBytes: 0,
    over: false,
    sockets: new Set(),
  }
  const started = process.hrtime.bigint()
  for (let index = 0; index < connections; index++) openConnection(run)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  run.over = true
  const durationMicros = Number(process.hrtime.bigint() - started) / 1000
  for (const socket of run.sockets) socket.destroy()
  const { requests, errors } = run
  return { requests, errors, durationMicros, p50Micros: percentile(run, 50), p99Micros: percentile(run, 99) }
})

function openConnection(run) {
  let sentNanos = process.hrtime.bigint()
  let got = 0
  const send = () => {
    sentNanos = process.hrtime.bigint()
    socket.write(run.request)
  }
  const socket = connect({ port: run.port, host: '127.0.0.1', noDelay: true })
  run.sockets.add(socket)
  socket.on('connect', send)
  socket.on('data', (chunk) => {
    if (run.answerBytes === 0) run.answerBytes = wholeAnswerBytes(chunk)
    got += chunk.length
    if (got < run.answerBytes || run.over) return
    got = 0
    count(run, process.hrtime.bigint() - sentNanos)
    if (run.keepAlive) send()
    else socket.destroy()
  })
  socket.on('end', () => socket.destroy())
  socket.on('error', () => run.errors++)
  socket.on('close', () => {
    run.sockets.delete(socket)
    if (!run.over) openConnection(run)
  })
}

function wholeAnswerBytes(chunk) {
  const text = chunk.toString('latin1')
  const end = text.indexOf('\r\n\r\n')
  const length = /^content-length: *(\d+)/im.exec(text)
  if (!text.startsWith('HTTP/1.1 200') || end === -1 || length === null) {
    throw new Error(`not the answer the load generator can count: ${text.slice(0, 200)}`)
  }
  return end + 4 + Number(length[1])
}

function count(run, nanos) {
  run.requests++
  const bucket = Math.floor(Number(nanos) / 1000 / microsPerBucket)
  run.histogram[Math.min(bucket, buckets - 1)]++
}

function percentile(run, percent) {
  const rank = Math.ceil((run.requests * percent) / 100)
  let seen = 0
  for (let bucket = 0; bucket < buckets; bucket++) {
    seen += run.histogram[bucket]
    if (seen >= rank) return bucket * microsPerBucket
  }
  return buckets * microsPerBucket
}
