// Node's own DNS client through the proxy, against a small server.
import { Resolver } from 'node:dns/promises'
import { describe, expect, test } from 'vitest'
import type { FaultSpec } from '../../../proxy/index.ts'
import { startUdp, type UdpProxied } from '../../support/datagrams.ts'
import { portOf } from '../../support/proxied.ts'

/** How long the resolver waits for an answer. */
const TIMEOUT_MS = 150
const HEADER_BYTES = 12
const A_RECORD_TTL_SECONDS = 60

/** Answers every question with 192.0.2.7, as an A record (RFC 1035 section 4.1; the address: RFC 5737). */
function answerTo(question: Buffer): Buffer {
  const header = Buffer.from(question.subarray(0, HEADER_BYTES))
  header.writeUInt16BE(0x8180, 2) // a response without error, recursion available
  header.writeUInt16BE(1, 6) // one answer
  header.writeUInt32BE(0, 8) // no authority, nothing additional
  const endOfName = question.indexOf(0, HEADER_BYTES) + 1
  const record = Buffer.alloc(16)
  record.writeUInt16BE(0xc000 + HEADER_BYTES, 0) // the name, by its place in the question
  record.writeUInt16BE(1, 2) // A
  record.writeUInt16BE(1, 4) // IN
  record.writeUInt32BE(A_RECORD_TTL_SECONDS, 6)
  record.writeUInt16BE(4, 10)
  record.set([192, 0, 2, 7], 12)
  return Buffer.concat([header, question.subarray(HEADER_BYTES, endOfName + 4), record])
}

interface Served extends AsyncDisposable {
  readonly proxied: UdpProxied
  resolve(tries?: number): Promise<string[]>
}

async function serveNames(...faults: FaultSpec[]): Promise<Served> {
  const proxied = await startUdp(faults)
  const { socket } = proxied.server
  socket.on('message', (question, { port, address }) => socket.send(answerTo(question), port, address))
  return {
    proxied,
    resolve: (tries = 1) => {
      const resolver = new Resolver({ timeout: TIMEOUT_MS, tries })
      resolver.setServers([`127.0.0.1:${portOf(proxied.proxy)}`])
      return resolver.resolve4('db.example')
    },
    [Symbol.asyncDispose]: () => proxied[Symbol.asyncDispose](),
  }
}

describe('a resolver', () => {
  test('gets its answer', async () => {
    await using served = await serveNames()
    expect(await served.resolve()).toEqual(['192.0.2.7'])
  })

  test.each(['upstream', 'downstream'] as const)('times out when all %s packets are lost', async (direction) => {
    await using served = await serveNames({ type: 'drop', direction })
    const sentMs = performance.now()
    await expect(served.resolve()).rejects.toMatchObject({ code: 'ETIMEOUT' })
    expect(performance.now() - sentMs).toBeGreaterThan(TIMEOUT_MS * 0.9)
    expect(served.proxied.server.received).toHaveLength(direction === 'upstream' ? 0 : 1)
  })

  test('asks again when the first answer is lost', async () => {
    await using served = await serveNames({ type: 'drop', times: 1 })
    expect(await served.resolve(3)).toEqual(['192.0.2.7'])
    expect(served.proxied.server.received).toHaveLength(2)
  })

  test('takes one of several answers', async () => {
    await using served = await serveNames({ type: 'duplicate', attributes: { copies: 3 } })
    expect(await served.resolve()).toEqual(['192.0.2.7'])
    expect(served.proxied.proxy.fault('duplicate_downstream')?.injections).toBe(1)
  })

  test('gets it later with latency', async () => {
    await using served = await serveNames({ type: 'latency', attributes: { latency: 60 } })
    const sentMs = performance.now()
    expect(await served.resolve(3)).toEqual(['192.0.2.7'])
    // Half a millisecond early counts as on time.
    expect(performance.now() - sentMs).toBeGreaterThan(59)
  })

  test('does not believe an answer of which each byte is corrupt, and believes the next', async () => {
    await using served = await serveNames({ type: 'corrupt', attributes: { rate: 1 }, times: 1 })
    // Its identifier is another one's, so it is nobody's answer.
    expect(await served.resolve(3)).toEqual(['192.0.2.7'])
    expect(served.proxied.server.received).toHaveLength(2)
  })
})
