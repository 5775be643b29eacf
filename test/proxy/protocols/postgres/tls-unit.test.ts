// Bytes, backpressure and endings of TLS over calls.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import tls from 'node:tls'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  asServer,
  connected,
  Driven,
  pair,
  patience,
  type PairOptions,
  type Role,
} from '../../../support/driven-tls.ts'

/** Bytes that no chunking or order of chunks would leave the same. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE((at * 2_654_435_761) >>> 0, at)
  return bytes
}
const hashOf = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

async function exchange(
  role: Role,
  bytes: number,
  options: Required<Pick<PairOptions, 'version' | 'sizes'>>,
): Promise<void> {
  const { driven, peer } = await pair(role, options)
  const up = pattern(bytes)
  const down = pattern(bytes + 1)
  const received = createHash('sha256')
  peer.on('data', (chunk: Buffer) => received.update(chunk))
  const peerEnded = once(peer, 'end')
  peer.end(up)
  await driven.sendAll(down, options.sizes)
  driven.side.end()
  await peerEnded
  await driven.until('end')
  await driven.until('sent end')
  expect(received.digest('hex')).toBe(hashOf(down))
  expect(driven.receivedBytes).toBe(bytes)
  expect(driven.hash.digest('hex')).toBe(hashOf(up))
  expect(driven.seen.toSorted()).toEqual(['end', 'secured', 'sent end'])
}

const versions = ['TLSv1.2', 'TLSv1.3'] as const
const roles = ['server', 'client'] as const
const everyKind = roles.flatMap((role) => versions.map((version) => [role, version] as const))

describe('bytes', () => {
  test.each(everyKind)('10 MB pass both ways as they are: %s, %s', async (role, version) => {
    await exchange(role, 10e6, { version, sizes: [65_536, 1, 17_000, 300, 262_144] })
  })

  test('pass as they are however they are cut', { timeout: 60_000 }, async () => {
    const size = fc.oneof(fc.integer({ min: 1, max: 64 }), fc.integer({ min: 1, max: 70_000 }))
    const sizes = fc.array(size, { minLength: 1, maxLength: 5 })
    const property = fc.asyncProperty(fc.constantFrom(...everyKind), sizes, async ([role, version], cut) => {
      await exchange(role, 50_000, { version, sizes: cut })
    })
    await fc.assert(property, { numRuns: 40, seed: 1 })
  })

  test.each(roles)('written before the handshake come behind it: %s', async (role) => {
    const { driven, peer } = await pair(role)
    driven.side.write(Buffer.from('early'))
    driven.side.close()
    const [chunk] = (await once(peer, 'data')) as [Buffer]
    expect(chunk.toString()).toBe('early')
    await driven.until('sent close')
    expect(driven.seen).toEqual(['secured', 'sent close'])
  })
})

describe('memory that is only lent is free again', () => {
  test('after receive() in the moment in which TLS begins', async () => {
    const [accepted, made] = await connected()
    tls.connect({ socket: made, rejectUnauthorized: false }).on('error', () => {})
    const [hello] = (await once(accepted, 'data')) as [Buffer]
    const driven = new Driven(accepted, asServer)
    driven.side.receive(hello)
    hello.fill(0xaa)
    await driven.until('secured')
  })

  test('after receive() while plain bytes are not wanted', async () => {
    const { driven, peer } = await pair('server')
    await driven.until('secured')
    driven.readsOn = true
    driven.full = true
    driven.side.plainFlowChanged()
    const data = pattern(1e6)
    peer.end(data)
    await once(driven.socket, 'end')
    // All but the record that OpenSSL is at: 16 KB at most.
    expect(driven.side.heldBytes).toBeGreaterThan(data.length - 20_000)
    driven.full = false
    driven.side.plainFlowChanged()
    await driven.until('end')
    expect(driven.hash.digest('hex')).toBe(hashOf(data))
  })
})

describe('backpressure', () => {
  const bytes = 40e6
  /** Kernel buffers of both sockets were measured below 7 MB; without backpressure it would be all of 40 MB. */
  const boundBytes = 20e6

  test.each(roles)('reaches who sends encrypted bytes: %s', async (role) => {
    const { driven, peer } = await pair(role)
    await driven.until('secured')
    driven.full = true
    const data = pattern(bytes)
    peer.write(data)
    await expect.poll(() => driven.side.receivingFull, patience).toBe(true)
    const reader = driven.socket
    // What the kernel would take is taken once the count stays for as long as a round of the loop takes, many times.
    let rounds = 0
    for (let last = -1; rounds < 50; await new Promise(setImmediate)) {
      rounds = reader.bytesRead === last ? rounds + 1 : 0
      last = reader.bytesRead
    }
    expect(reader.bytesRead).toBeLessThan(boundBytes)
    // One read of the socket and one record of what was under way.
    expect(driven.side.heldBytes).toBeLessThan(200_000)
    driven.full = false
    driven.side.plainFlowChanged()
    await expect.poll(() => driven.receivedBytes, patience).toBe(bytes)
    expect(driven.hash.digest('hex')).toBe(hashOf(data))
    expect(driven.side.heldBytes).toBe(0)
  })

  test('of a reader that takes one chunk at a time loses and reorders nothing', async () => {
    const { driven, peer } = await pair('server')
    driven.afterWrite = () => {
      driven.full = true
      setImmediate(() => {
        driven.full = false
        driven.side.plainFlowChanged()
      })
    }
    const data = pattern(3e6)
    peer.end(data)
    await driven.until('end')
    expect(driven.hash.digest('hex')).toBe(hashOf(data))
  })

  test.each(roles)('reaches who sends plain bytes: %s', async (role) => {
    const { driven, peer } = await pair(role)
    await driven.until('secured')
    peer.pause()
    const data = pattern(bytes)
    let written = 0
    const step = 50_000
    for (let idle = 0; idle < 50 && written < bytes; await new Promise(setImmediate)) {
      idle = driven.side.full ? idle + 1 : 0
      if (driven.side.full) continue
      driven.side.write(data.subarray(written, (written += step)))
    }
    expect(driven.side.full).toBe(true)
    expect(written).toBeLessThan(boundBytes)
    const received = createHash('sha256')
    peer.on('data', (chunk: Buffer) => received.update(chunk)).resume()
    const drainsBefore = driven.drains
    await expect.poll(() => driven.drains, patience).toBeGreaterThan(drainsBefore)
    expect(driven.side.full).toBe(false)
    driven.side.end()
    await once(peer, 'end')
    expect(received.digest('hex')).toBe(hashOf(data.subarray(0, written)))
  })
})

describe('endings', () => {
  test.each(everyKind)('each direction ends by itself: %s, %s', async (role, version) => {
    const { driven, peer } = await pair(role, { version })
    await driven.until('secured')
    driven.side.write(Buffer.from('last'))
    driven.side.end()
    peer.allowHalfOpen = true
    expect(String(await once(peer, 'data'))).toBe('last')
    await once(peer, 'end')
    peer.end('still here')
    await driven.until('end')
    expect(driven.text).toBe('still here')
    expect(driven.seen).toEqual(['secured', 'sent end', 'end'])
    driven.side.close()
    expect(driven.seen.at(-1)).toBe('sent close')
  })

  test('FIN without close_notify ends the plain bytes', async () => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, asServer)
    // A relay in between, so that the FIN is not Node's.
    const [inner, outer] = await connected()
    outer.on('data', (chunk) => made.write(chunk))
    made.on('data', (chunk) => outer.write(chunk))
    const peer = tls.connect({ socket: inner, rejectUnauthorized: false }).on('error', () => {})
    peer.write('some')
    await expect.poll(() => driven.text, patience).toBe('some')
    made.end()
    await driven.until('end')
    driven.side.write(Buffer.from('rest'))
    driven.side.close()
    expect(String(await once(peer, 'data'))).toBe('rest')
    await driven.until('sent close')
    expect(driven.seen).toEqual(['secured', 'end', 'sent close'])
  })

  test('close_notify without FIN ends the plain bytes, and FIN behind it changes nothing', async () => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, asServer)
    const [inner, outer] = await connected()
    outer.on('data', (chunk) => made.write(chunk))
    made.on('data', (chunk) => outer.write(chunk))
    const peer = tls.connect({ socket: inner, rejectUnauthorized: false }).on('error', () => {})
    peer.end('all')
    await driven.until('end')
    expect(accepted.readableEnded).toBe(false)
    made.end()
    await once(accepted, 'end')
    driven.side.end()
    await once(made, 'end')
    expect(driven.seen).toEqual(['secured', 'end', 'sent end'])
  })

  test.each(roles)('close comes out behind all that was written, though the peer is slow: %s', async (role) => {
    const { driven, peer } = await pair(role)
    await driven.until('secured')
    peer.pause()
    const data = pattern(30e6)
    driven.side.write(data)
    driven.side.close()
    driven.side.write(Buffer.from('not this'))
    // More than the kernel's buffers take, so the close still waits.
    expect(driven.seen).toEqual(['secured'])
    const received = createHash('sha256')
    peer.on('data', (chunk: Buffer) => received.update(chunk)).resume()
    await once(peer, 'end')
    expect(received.digest('hex')).toBe(hashOf(data))
    await driven.until('sent close')
  })

  test('close may follow an end', async () => {
    const { driven } = await pair('server')
    await driven.until('secured')
    driven.side.end()
    await driven.until('sent end')
    driven.side.close()
    expect(driven.seen).toEqual(['secured', 'sent end', 'sent close'])
    driven.side.close()
    driven.side.end()
    // What comes behind it may be anything.
    driven.side.receive(Buffer.alloc(200, 0xff))
    expect(driven.seen).toHaveLength(3)
  })

  // Held by the TLS socket alone, and by the wire as well.
  test.each([5_000, 500_000])('what is held comes, though both directions have ended: %i bytes', async (bytes) => {
    const { driven, peer } = await pair('server')
    await driven.until('secured')
    driven.readsOn = true
    driven.full = true
    driven.side.plainFlowChanged()
    const data = pattern(bytes)
    peer.end(data)
    driven.side.end()
    await driven.until('sent end')
    if (!driven.socket.readableEnded) await once(driven.socket, 'end')
    // Whatever would be dropped by then would be so after a round of the loop.
    await new Promise(setImmediate)
    driven.full = false
    driven.side.plainFlowChanged()
    await driven.until('end')
    expect(driven.hash.digest('hex')).toBe(hashOf(data))
  })

  test('reset is sent at once, past what waits', async () => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, asServer)
    driven.side.write(Buffer.from('waits for the handshake'))
    const refused = new Promise<NodeJS.ErrnoException>((resolve) => made.once('error', resolve))
    driven.side.reset()
    made.resume()
    expect((await refused).code).toBe('ECONNRESET')
  })

  test('a reset that comes is passed on at once, past what is held', async () => {
    const { driven, peer } = await pair('server')
    await driven.until('secured')
    driven.readsOn = true
    driven.full = true
    driven.side.plainFlowChanged()
    peer.write('held')
    await once(driven.socket, 'data')
    expect(driven.side.heldBytes).toBeGreaterThan(0)
    driven.side.receiveReset()
    expect([driven.seen, driven.text]).toEqual([['secured', 'reset'], ''])
  })

  test.each(['end', 'close'] as const)('%s before a handshake has begun does not wait for one', async (signal) => {
    const [accepted, made] = await connected()
    const driven = new Driven(accepted, asServer)
    driven.side[signal]()
    made.resume()
    await once(made, 'end')
    expect(driven.seen).toEqual([`sent ${signal}`])
    driven.side.receive(Buffer.from('late'))
    driven.side.receiveEnd()
    expect(driven.seen).toEqual([`sent ${signal}`])
  })

  test('nobody is called after destroy()', async () => {
    const { driven, peer } = await pair('server')
    await driven.until('secured')
    driven.side.destroy()
    peer.write('late')
    await once(driven.socket, 'data')
    driven.side.receiveEnd()
    driven.side.write(Buffer.from('late'))
    driven.side.ciphertextDrained()
    driven.side.plainFlowChanged()
    await new Promise(setImmediate)
    expect([driven.seen, driven.text, driven.side.heldBytes]).toEqual([['secured'], '', 0])
  })
})
