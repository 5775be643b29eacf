import { once } from 'node:events'
import net from 'node:net'
import { describe, expect, test } from 'vitest'
import { BusyPoll } from '../../proxy/busy-poll.ts'
import { Network } from '../../proxy/index.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer } from '../support/sockets.ts'

/** A loop whose time is moved by hand: `bytesAfter` is a wait that bytes end, and tells for how much of it was polled. */
function handLoop(windowMicros: number) {
  let nowMs = 1000
  let waiting: (() => void)[] = []
  const poll = new BusyPoll(windowMicros, {
    now: () => nowMs,
    nextTurn: (callback) => void waiting.push(callback),
  })
  const turn = (): void => {
    const callbacks = waiting
    waiting = []
    for (const callback of callbacks) callback()
  }
  return {
    bytesAfter(micros: number): number {
      let polled = 0
      for (let waited = 0; waited < micros; waited += 10) {
        nowMs += 0.01
        turn()
        if (waiting.length > 0) polled += 10
      }
      poll.touch()
      poll.touch() // more bytes in the same turn say nothing new
      turn()
      return polled
    },
  }
}

describe('polling', () => {
  test('begins when bytes have come soon, and goes on until they are there', () => {
    const loop = handLoop(100)
    expect(loop.bytesAfter(5000)).toBe(0)
    const polled = Array.from({ length: 8 }, () => loop.bytesAfter(80))
    expect(polled.slice(0, 3)).toEqual([0, 0, 0]) // the long wait has to be outweighed
    expect(polled.slice(3)).toEqual([80, 80, 80, 80, 80])
  })

  test('ends with its window, and is given up where bytes come late', () => {
    const loop = handLoop(100)
    for (let index = 0; index < 20; index++) loop.bytesAfter(50)
    const polled = Array.from({ length: 8 }, () => loop.bytesAfter(1000))
    expect(polled[0]).toBeGreaterThan(80)
    expect(polled[0]).toBeLessThanOrEqual(100)
    expect(polled.slice(4)).toEqual([0, 0, 0, 0])
  })

  test('a peer that thinks before every second message is not polled for', () => {
    const loop = handLoop(100)
    const polled = Array.from({ length: 40 }, (_, index) => loop.bytesAfter(index % 2 === 0 ? 60 : 3000))
    expect(polled.slice(10).every((micros) => micros === 0)).toBe(true)
  })
})

test('through a proxy that polls, bytes pass as they came, and none is polled for at rest', async () => {
  await using server = await RawServer.echo()
  const network = new Network()
  const proxy = await network.createProxy({ name: 'p', upstream: server.address, busyPollMicros: 1000 })
  const socket = net.connect(portOf(proxy), '127.0.0.1')
  for (let index = 0; index < 200; index++) {
    socket.write(`message ${index}`)
    const [bytes] = await once(socket, 'data')
    expect(String(bytes)).toBe(`message ${index}`)
  }
  // The loop sleeps when nothing comes for longer than the window. What is measured is its own account of that.
  const before = performance.eventLoopUtilization()
  await new Promise((resolve) => setTimeout(resolve, 200))
  expect(performance.eventLoopUtilization(before).idle).toBeGreaterThan(100)
  socket.destroy()
  await network.close()
})

test.each([-1, 1.5, 1001, 'x'])('%j microseconds are refused', async (busyPollMicros) => {
  const network = new Network()
  const spec = { name: 'p', upstream: '127.0.0.1:9', busyPollMicros: busyPollMicros as number }
  await expect(network.createProxy(spec)).rejects.toMatchObject({ code: 'invalid_value', field: 'busyPollMicros' })
})
