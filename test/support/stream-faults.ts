// What the wire tests of stream faults share: which end sends, bytes that betray their place, waiting, and time.
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import {
  InstalledFault,
  systemClock,
  type Clock,
  type Direction,
  type FaultProxy,
  type FaultSpec,
  type Injection,
  type InjectionDetail,
  type Network,
} from '../../proxy/index.ts'
import { startProxied, type Proxied } from './proxied.ts'
import type { Ending, RawSocket } from './sockets.ts'

export const directions: readonly Direction[] = ['upstream', 'downstream']

// ---- connections ---------------------------------------------------------------------------------------------------

/** A connection seen from one direction: who sends that way and who receives. */
export interface Ends {
  readonly client: RawSocket
  readonly server: RawSocket
  readonly sender: RawSocket
  readonly receiver: RawSocket
  /** The connection's number on its proxy. */
  readonly number: number
}

export async function connectEnds(proxied: Proxied, direction: Direction): Promise<Ends> {
  const { client, server } = await proxied.connect()
  // The server may have accepted before the proxy has seen its dial succeed: let the loop turn once more.
  await nextTurn()
  const [sender, receiver] = direction === 'upstream' ? [client, server] : [server, client]
  return { client, server, sender, receiver, number: proxied.proxy.counters.acceptedConnections }
}

/** Waits for both ends of a connection to end, and says how each did and when the first one did. */
export async function untilBothEnded({ client, server }: Ends): Promise<{ endings: Ending[]; firstMs: number }> {
  const ended = await Promise.all([client, server].map(untilEndedTimed))
  return { endings: ended.map(({ ending }) => ending), firstMs: Math.min(...ended.map(({ atMs }) => atMs)) }
}

async function untilEndedTimed(socket: RawSocket): Promise<{ ending: Ending; atMs: number }> {
  return { ending: await socket.untilEnded(), atMs: performance.now() }
}

/** Bytes that faults hold back on all connections of a proxy. */
export function heldBytes(proxy: FaultProxy): number {
  return [...proxy.connections].reduce((sum, connection) => sum + connection.heldBytes, 0)
}

/** Adds a fault past the schema's bounds, as Toxiproxy's API does: negative values are only possible this way. */
export function addUnchecked(
  proxy: FaultProxy,
  type: string,
  direction: Direction,
  attributes: Readonly<Record<string, number>>,
): InstalledFault {
  const fault = InstalledFault.fromSpec({ type, direction })
  fault.apply({ ...fault.settings, attributes: { ...fault.attributes, ...attributes } })
  proxy.installFault(fault)
  return fault
}

// ---- bytes ---------------------------------------------------------------------------------------------------------

let master = Buffer.alloc(0)

/** The bytes from `start` to `end` of an endless stream in which every four bytes differ: nothing can hide in it. */
export function pattern(start: number, end: number): Buffer {
  if (master.length < end) {
    const words = new Uint32Array(Math.ceil((end * 2) / 4))
    for (let index = 0; index < words.length; index++) words[index] = Math.imul(index, 0x9e3779b1)
    master = Buffer.from(words.buffer)
  }
  return master.subarray(start, end)
}

/** Fails unless the socket has received exactly the first `bytes` bytes of the {@link pattern}. */
export function expectPattern(receiver: RawSocket, bytes: number): void {
  const { received } = receiver
  expect(received.length).toBe(bytes)
  // Not toEqual: the difference between two long buffers takes minutes to print.
  expect(received.equals(pattern(0, bytes)), 'all bytes are the ones sent, in order').toBe(true)
}

/** Data that keeps flowing: writes the {@link pattern}, a piece every `everyMs`, until stopped. */
export class Flow implements Disposable {
  sentBytes = 0
  readonly #timer: NodeJS.Timeout

  constructor(sender: RawSocket, { pieceBytes = 500, everyMs = 2 } = {}) {
    this.#timer = setInterval(() => {
      sender.write(pattern(this.sentBytes, this.sentBytes + pieceBytes))
      this.sentBytes += pieceBytes
    }, everyMs)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  [Symbol.dispose](): void {
    this.stop()
  }
}

/** How much had arrived by when, at each arrival, counted from `sentMs`. */
export function progress({ arrivals }: RawSocket, sentMs: number): { afterMs: number; arrivedBytes: number }[] {
  let arrivedBytes = 0
  return arrivals.map(({ atMs, bytes }) => ({ afterMs: atMs - sentMs, arrivedBytes: (arrivedBytes += bytes) }))
}

// ---- waiting and time ----------------------------------------------------------------------------------------------

/** How late a busy machine may be. A bound with it says "about then", and tells it from a fault that waits longer. */
export const SLACK_MS = 250

/** Never early, by the millisecond that timers are coarse; late only by what a busy machine costs. */
export function expectDelay(elapsedMs: number, delayMs: number): void {
  expect(elapsedMs).toBeGreaterThanOrEqual(delayMs - 1)
  expect(elapsedMs).toBeLessThan(delayMs + SLACK_MS)
}

/** Waits for something that has no event of its own. */
export async function untilTrue(condition: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`)
    await wait(1)
  }
}

/**
 * Lets time pass to show that nothing happens in it. It proves what the caller says it proves, never that something
 * has happened.
 */
export async function observe(durationMs: number): Promise<void> {
  await wait(durationMs)
}

/**
 * Watches the event loop: everything else in this process waits while one turn of it lasts. Counted in CPU time, so
 * that only the process itself is to blame for it.
 */
export class LagWatch implements Disposable {
  static readonly LIMIT_MS = 200
  #longestMs = 0
  #lastMs = cpuMs()
  readonly #timer = setInterval(() => this.#tick(), 1)

  /** The most that was spent between two turns. */
  get longestMs(): number {
    this.#tick()
    return this.#longestMs
  }

  #tick(): void {
    const nowMs = cpuMs()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

/** Watches how long other processes or the collector kept this one from running: no timer is more exact than that. */
export class StallWatch implements Disposable {
  longestMs = 0
  #lastMs = performance.now()
  readonly #timer = setInterval(() => this.#tick(), 1)

  #tick(): void {
    const nowMs = performance.now()
    this.longestMs = Math.max(this.longestMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** The real clock, counting: a stage that spins sets timer after timer. */
export class CountingClock implements Clock {
  timersSet = 0

  now(): number {
    return systemClock.now()
  }

  wallTimeMs(): number {
    return systemClock.wallTimeMs()
  }

  clearTimer(timer: unknown): void {
    systemClock.clearTimer(timer)
  }

  setTimer(callback: () => void, delayMs: number): unknown {
    this.timersSet++
    return systemClock.setTimer(callback, delayMs)
  }
}

/** Shows that nothing goes on for a while: no byte arrives, nobody is cut off, and no stage sets timer after timer. */
export async function expectStandstill({ client, server, receiver }: Ends, clock: CountingClock): Promise<void> {
  const [receivedBytes, timersSet] = [receiver.receivedBytes, clock.timersSet]
  await observe(150)
  expect(receiver.receivedBytes).toBe(receivedBytes)
  expect([client.ending, server.ending]).toEqual(['open', 'open'])
  // A stage that spins would set one for each turn of the loop.
  expect(clock.timersSet - timersSet).toBeLessThanOrEqual(2)
}

// ---- injections ----------------------------------------------------------------------------------------------------

/** What has been recorded, without what differs from run to run. */
export function acts(network: Network, fault?: string): { action: string; detail: InjectionDetail }[] {
  return network.injections.entries({ fault }).map(({ action, detail }) => ({ action, detail }))
}

export async function untilInjection(network: Network, matches: Partial<Injection>): Promise<Injection> {
  const found = () =>
    network.injections
      .entries()
      .find((injection) => Object.entries(matches).every(([key, value]) => injection[key as keyof Injection] === value))
  await untilTrue(() => found() !== undefined, `an injection ${JSON.stringify(matches)}`)
  return found() as Injection
}

// ---- probability ---------------------------------------------------------------------------------------------------

const CHOSEN_FROM = 16

/**
 * Tests that hold for every fault that puts an act on record when a byte and a FIN come along: at probability 0 it
 * never acts, at 0.5 it acts on the connections it has been drawn for, whatever happens to other faults.
 */
export function testProbability(fault: FaultSpec, direction: Direction): void {
  test.concurrent('acts on no connection at probability 0', async () => {
    expect(await actedOn({ ...fault, direction, probability: 0 })).toEqual([])
  })

  test.concurrent('acts on every connection at probability 1', async () => {
    expect(await actedOn({ ...fault, direction, probability: 1 })).toHaveLength(CHOSEN_FROM)
  })

  test.concurrent('is drawn once for each connection at probability 0.5, and not again when other faults change', async () => {
    const undisturbed = await actedOn({ ...fault, direction, probability: 0.5 })
    // Some and not all: the seed is fixed, so this does not vary from run to run.
    expect(undisturbed.length).toBeGreaterThanOrEqual(3)
    expect(undisturbed.length).toBeLessThanOrEqual(13)

    const disturbed = await actedOn({ ...fault, direction, probability: 0.5 }, (proxy) => {
      for (const other of directions) proxy.addFault({ type: 'noop', name: `other_${other}`, direction: other })
      proxy.updateFault('other_upstream', { probability: 0.3 })
      proxy.updateFault('other_downstream', { probability: 0.7 })
      proxy.updateFault('subject', {})
      proxy.removeFault('other_upstream')
      proxy.removeFault('other_downstream')
    })
    // Drawn again, the same 16 answers would come once in 65,536 times.
    expect(disturbed).toEqual(undisturbed)
  })
}

/** Numbers of the connections on which a fault acts; on all others the bytes and a FIN must come through. */
async function actedOn(fault: FaultSpec, meanwhile: (proxy: FaultProxy) => void = () => {}): Promise<number[]> {
  await using proxied = await startProxied([{ ...fault, name: 'subject' }])
  const all: Ends[] = []
  for (let index = 0; index < CHOSEN_FROM; index++)
    all.push(await connectEnds(proxied, fault.direction === 'upstream' ? 'upstream' : 'downstream'))
  meanwhile(proxied.proxy)
  // 20 bytes take the slowest line 20 ms: one takes 1 ms, in which a busy machine may have looked away.
  for (const { sender } of all) sender.end('x'.repeat(20))
  const acted = () =>
    new Set(proxied.network.injections.entries({ fault: 'subject' }).map(({ connection }) => connection))
  const settled = ({ number, receiver }: Ends) => acted().has(number) || receiver.ending === 'FIN'
  await untilTrue(() => all.every(settled), 'an act or a FIN on each connection')
  const numbers = acted()
  for (const { number, receiver } of all) if (!numbers.has(number)) expect(receiver.text).toBe('x'.repeat(20))
  return all.map(({ number }) => number).filter((number) => numbers.has(number))
}
