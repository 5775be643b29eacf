// Promise of `protocol: http`: without a fault that acts, both ends see the same bytes and endings as without a proxy.
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { exchanges } from '../../../../bench/transparency/exchanges.mjs'
import {
  difference,
  play,
  straight,
  type Exchange,
  type Seen,
  type Way,
} from '../../../../bench/transparency/transparency.mjs'
import { Network, type FaultSpec, type ProxySpec } from '../../../../proxy/index.ts'
import { streams } from '../../../support/http-arbitraries.ts'
import { broken } from '../../../support/http-mutations.ts'
import { portOf, startProxied } from '../../../support/proxied.ts'
import type { RawSocket } from '../../../support/sockets.ts'
import { ambiguous, understood, type Sample } from './corpus.ts'

const LONG = process.env['FAULTLINE_LONG'] ? 10 : 1

vi.setConfig({ testTimeout: 15_000 * LONG })

/** Looks at every request and acts on none. */
const never: readonly FaultSpec[] = [
  { type: 'http_abort', match: { path: '/never' }, attributes: { status: 503 } },
  {
    type: 'http_delay',
    name: 'never_answers',
    match: { path: '/never' },
    attributes: { delayMs: 1000, phase: 'response' },
  },
]

function through(spec: Partial<ProxySpec>) {
  return async (serverPort: number): Promise<Way> => {
    const network = new Network({ seed: 1 })
    const proxy = await network.createProxy({
      name: 'p',
      upstream: `127.0.0.1:${serverPort}`,
      protocol: 'http',
      ...spec,
    })
    return { port: portOf(proxy), stop: () => network.close() }
  }
}

/** The same exchange straight, once for all ways of proxying. */
const straights = new Map<Exchange, Promise<Seen>>()
function playStraight(exchange: Exchange): Promise<Seen> {
  const known = straights.get(exchange) ?? play(exchange, straight)
  straights.set(exchange, known)
  return known
}

const ways = [
  ['without a fault', {}, Infinity],
  ['with rules that never match', { faults: never }, Infinity],
  // Heads come in parts then, which rules have to be put together for.
  ['with rules that never match, in pieces', { faults: never }, 7],
  ['with header faults allowed, in pieces', { headerFaults: true }, 3],
] as const

describe.each(ways)('%s', (_name, spec, pieceBytes) => {
  test.concurrent.each(exchanges.map((exchange) => [exchange.row, exchange.name, exchange] as const))(
    '%s: %s',
    async (_row, _exchange, exchange) => {
      const [direct, proxied] = await Promise.all([
        playStraight(exchange),
        play(exchange, through(spec), { pieceBytes }),
      ])
      expect(direct.inVain).toBeNull()
      expect(difference(direct, proxied, 'endings')).toEqual({ taste: [], substance: [] })
      // The words above are for people; this is the proof.
      expect(proxied).toEqual(direct)
    },
  )
})

describe('bytes of every kind pass as they are', () => {
  const samples = [...understood, ...ambiguous]

  test.concurrent.each(samples.map((sample) => [sample.kind, sample.name, sample] as const))(
    '%s: %s',
    async (_kind, _name, sample) => {
      await using proxied = await startProxied(never, {}, { protocol: 'http' })
      const { client, server } = await proxied.connect()
      const [sender, receiver] = sample.kind === 'request' ? [client, server] : [server, client]
      if (sample.kind === 'response') {
        const asked = requestsFor(sample)
        client.write(asked)
        await server.untilBytes(asked.length)
      }
      await writeInPieces(sender, sample.bytes)
      sender.end()
      expect(await receiver.untilEnded()).toBe('FIN')
      expect(receiver.received.equals(sample.bytes), 'received as sent').toBe(true)
      // As without rules, but seen: opaque connections are counted and on record.
      expect(proxied.proxy.counters.opaqueConnections).toBe(sample.opaque === undefined ? 0 : 1)
      expect(proxied.network.events.entries().map(({ detail }) => detail['reason'])).toEqual(
        sample.opaque === undefined ? [] : [sample.opaque],
      )
    },
  )

  test('also at random, both ways at once', async () => {
    await using proxied = await startProxied(never, {}, { protocol: 'http' })
    const wires = fc.sample(
      fc.tuple(
        fc.oneof(streams('plain'), broken(streams('plain'))).filter(({ kind }) => kind === 'request'),
        fc.oneof(streams('plain'), broken(streams('plain'))).filter(({ kind }) => kind === 'response'),
        fc.integer({ min: 1, max: 60 }),
      ),
      { numRuns: 300 * LONG, seed: 7 },
    )
    for (const [requests, responses, pieceBytes] of wires) {
      const { client, server } = await proxied.connect()
      await Promise.all([
        writeInPieces(client, requests.bytes, pieceBytes).then(() => client.end()),
        writeInPieces(server, responses.bytes, pieceBytes).then(() => server.end()),
      ])
      await Promise.all([client.untilEnded(), server.untilEnded()])
      expect(server.text).toBe(requests.bytes.toString('latin1'))
      expect(client.text).toBe(responses.bytes.toString('latin1'))
    }
  })
})

describe.each([
  ['CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['GET /a HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 'HTTP/1.1 101 x\r\n\r\n'],
])('bytes right behind %j', (head, answer) => {
  test.concurrent.each(['GET /b HTTP/1.1\r\n\r\n', '\x16\x03\x01'])(
    '%j pass at once without a fault',
    async (early) => {
      await using proxied = await startProxied([], {}, { protocol: 'http' })
      const { client, server } = await proxied.connect()
      client.end(head + early)
      expect(await server.untilEnded()).toBe('FIN')
      expect(server.text).toBe(head + early)
      server.end(`${answer}late`)
      expect(await client.untilEnded()).toBe('FIN')
      expect(client.text).toBe(`${answer}late`)
    },
  )

  test('wait with a rule until the answer has told what they are', async () => {
    await using proxied = await startProxied(never, {}, { protocol: 'http' })
    const { client, server } = await proxied.connect()
    const early = 'GET /never HTTP/1.1\r\n\r\n' // which the rule would act on, if it were a request
    client.end(head + early)
    await server.untilBytes(head.length)
    server.write(answer)
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe(head + early)
    expect(proxied.network.injections.entries()).toEqual([])
  })

  test('are a request if the answer refuses', async () => {
    await using proxied = await startProxied(never, {}, { protocol: 'http' })
    const { client, server } = await proxied.connect()
    const refusal = 'HTTP/1.1 407 no\r\nContent-Length: 0\r\n\r\n'
    client.write(`${head}GET /never HTTP/1.1\r\n\r\n`)
    await server.untilBytes(head.length)
    server.write(refusal)
    await client.until(() => client.text.startsWith(`${refusal}HTTP/1.1 503 `), 'the answer of http_abort')
    expect(server.text).toBe(head)
  })

  test('pass on with a rule, too, when the server closes without an answer', async () => {
    await using proxied = await startProxied(never, {}, { protocol: 'http' })
    const { client, server } = await proxied.connect()
    client.end(`${head}early`)
    await server.untilBytes(head.length)
    server.end()
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.text).toBe(`${head}early`)
    expect(await client.untilEnded()).toBe('FIN')
  })
})

test.each([
  ['without a fault', []],
  ['with a rule', never],
])('thousands of requests in a row pass, %s, though the server answers none and closes', async (_name, faults) => {
  await using proxied = await startProxied(faults, {}, { protocol: 'http' })
  const { client, server } = await proxied.connect()
  const requests = 'GET / HTTP/1.1\r\n\r\n'.repeat(3000)
  client.end(requests)
  // More than that wait for their answers.
  await server.untilBytes(1000 * 18)
  server.end()
  expect(await client.untilEnded()).toBe('FIN')
  expect(await server.untilEnded()).toBe('FIN')
  expect(server.text).toBe(requests)
})

/** Short ones in pieces, so that heads come in parts. */
async function writeInPieces(
  socket: RawSocket,
  bytes: Buffer,
  pieceBytes = Math.max(7, bytes.length / 100),
): Promise<void> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    socket.write(bytes.subarray(at, at + pieceBytes))
    await nextTurn()
  }
}

function requestsFor({ answers = ['other'] }: Sample): string {
  const methods = { HEAD: 'HEAD', CONNECT: 'CONNECT', other: 'GET' }
  return answers.map((answer) => `${methods[answer]} / HTTP/1.1\r\n\r\n`).join('')
}
