// How many packets a second pass without loss while no fault is active. Sender and receiver are processes of their own.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { Network, type FaultProxy } from '../../../proxy/index.ts'
import { portOf } from '../../support/proxied.ts'

const LONG = process.env['FAULTLINE_LONG'] !== undefined
const SECONDS = LONG ? 2 : 1
/**
 * The long run's is the promise. The short run shares the machine with other tests: where unprivileged programs get no
 * larger receive buffers than Linux gives by default (212,992 bytes, twice that with its own overhead, of which each
 * packet takes some 800), 10,000 packets a second fill one when nobody reads for 50 ms; 50,000 when nobody does for 10.
 */
const PACKETS_PER_SECOND = LONG ? 50_000 : 10_000
const PACKETS = PACKETS_PER_SECOND * SECONDS
/** A neighbour that takes the processor for too long costs a run its packets; a proxy that loses some does so each time. */
const ATTEMPTS = LONG ? 8 : 3
/** Sent more slowly, packets prove nothing. */
const MAX_SENDING_MS = SECONDS * 1000 * 1.5

const sink = `
  import dgram from 'node:dgram'
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4194304 })
  let packets = 0
  socket.on('message', () => packets++)
  socket.bind(0, '127.0.0.1', () => process.send(socket.address().port))
  process.on('message', () => { process.send(packets); packets = 0 })`

/** After a pause it does not catch up with more than four times its rate. */
const source = `
  import dgram from 'node:dgram'
  const [port, perSecond, count] = process.argv.slice(1).map(Number)
  const socket = dgram.createSocket('udp4')
  const packet = Buffer.alloc(100)
  socket.connect(port, '127.0.0.1', () => {
    const startMs = performance.now()
    let sent = 0
    const tick = () => {
      const due = Math.min(count, Math.floor((performance.now() - startMs) * perSecond / 1000))
      const end = Math.min(due, sent + perSecond / 250)
      for (; sent < end; sent++) socket.send(packet)
      if (sent < count) return setTimeout(tick, 1)
      process.send(performance.now() - startMs)
      socket.close()
      process.disconnect()
    }
    tick()
  })`

function run(code: string, ...values: number[]): ChildProcess {
  const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const
  return spawn(process.execPath, ['--input-type=module', '-e', code, ...values.map(String)], { stdio: [...stdio] })
}

async function nextMessage(child: ChildProcess): Promise<number> {
  const [message] = (await once(child, 'message')) as [number]
  return message
}

/** How many of all packets come through, and how long sending them took. */
async function pass(proxy: FaultProxy, receiver: ChildProcess): Promise<{ arrived: number; sendingMs: number }> {
  const sendingMs = await nextMessage(run(source, portOf(proxy), PACKETS_PER_SECOND, PACKETS))
  const { upstream } = proxy.traffic
  // What the proxy and the receiver still have in their buffers is read when nothing more comes.
  let arrived = 0
  for (let before = -1; before !== upstream.sentBytes;) {
    before = upstream.sentBytes
    await new Promise((resolve) => setTimeout(resolve, 50))
    receiver.send('how many')
    arrived += await nextMessage(receiver)
  }
  return { arrived, sendingMs }
}

test(`${PACKETS_PER_SECOND} packets a second pass for ${SECONDS} s without loss`, { timeout: 60_000 }, async () => {
  const receiver = run(sink)
  await using network = new Network({ seed: 1 })
  const upstream = `127.0.0.1:${await nextMessage(receiver)}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'udp', upstream })
  const results: { arrived: number; sendingMs: number }[] = []
  const succeeded = (): boolean =>
    results.some(({ arrived, sendingMs }) => arrived === PACKETS && sendingMs < MAX_SENDING_MS)
  while (results.length < ATTEMPTS && !succeeded()) results.push(await pass(proxy, receiver))
  receiver.kill()
  expect(succeeded(), JSON.stringify(results)).toBe(true)
})
