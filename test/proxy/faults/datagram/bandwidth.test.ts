// A slow line for datagrams: when packets come through, and which are lost.
import { describe, expect, test } from 'vitest'
import { ManualClock } from '../../../../proxy/index.ts'
import { IsolatedDatagramStage, startUdp, upTo } from '../../../support/datagrams.ts'
import { untilTrue } from '../../../support/stream-faults.ts'

const timesOf = (isolated: IsolatedDatagramStage): number[] => isolated.passed.map(({ atMs }) => atMs)

describe('bandwidth', () => {
  test('lets each packet take as long as its bytes do at the rate', () => {
    const isolated = new IsolatedDatagramStage('bandwidth', { rate: 10 })
    isolated.number(5, 100)
    isolated.clock.advance(200)
    // 100 bytes at 10 bytes a millisecond; half a millisecond early counts as on time.
    expect(timesOf(isolated)).toEqual([9.5, 19.5, 29.5, 39.5, 49.5])
    expect(isolated.numbers).toEqual(upTo(5))
    expect(isolated.acts.map(({ action }) => action)).toEqual(['throttle'])
  })

  test('loses what finds the queue full, and only that', () => {
    const isolated = new IsolatedDatagramStage('bandwidth', { rate: 10, queueBytes: 250 })
    isolated.number(5, 100)
    // The first is being sent, two have room.
    expect(isolated.recorded('drop')).toEqual([4, 5])
    isolated.clock.advance(15)
    isolated.number(1, 100)
    isolated.clock.advance(200)
    expect(isolated.numbers).toEqual([1, 2, 3, 6])
  })

  test('over a long time passes what the rate says', () => {
    const isolated = new IsolatedDatagramStage('bandwidth', { rate: 37, queueBytes: 3000 })
    for (let turn = 0; turn < 10_000; turn++) {
      isolated.number(1, 100) // 100 bytes a millisecond
      isolated.clock.advance(1)
    }
    // 370,000 bytes, less than a packet off.
    expect(Math.abs(isolated.passed.length * 100 - 370_000)).toBeLessThanOrEqual(100)
  })

  test('lets a burst pass at once after a pause', () => {
    const isolated = new IsolatedDatagramStage('bandwidth', { rate: 10, burst: 300 })
    isolated.clock.advance(1000)
    isolated.number(5, 100)
    isolated.clock.advance(100)
    expect(timesOf(isolated)).toEqual([1000, 1000, 1000, 1009.5, 1019.5])
  })

  test('at 0 passes nothing, and goes on with a new rate', () => {
    const isolated = new IsolatedDatagramStage('bandwidth', { rate: 0 })
    isolated.number(2, 100)
    isolated.clock.advance(10_000)
    expect(isolated.passed).toEqual([])
    isolated.stage.update({ rate: 10, queueBytes: 1000, scope: 'connection', burst: 0 })
    isolated.clock.advance(100)
    expect(timesOf(isolated)).toEqual([10_009.5, 10_019.5])
  })

  test('a rate that changes all the time keeps what has been sent', () => {
    const isolated = new IsolatedDatagramStage('bandwidth', { rate: 10 })
    isolated.number(1, 100)
    for (let changes = 1; changes <= 9; changes++) {
      isolated.clock.advance(1)
      isolated.stage.update({ rate: 10, queueBytes: 1000, scope: 'connection', burst: 0 })
    }
    isolated.clock.advance(1)
    expect(timesOf(isolated)).toEqual([9.5])
  })
})

test('with the scope proxy all clients share one line; the packets of one that is gone cost it nothing', async () => {
  const clock = new ManualClock()
  const slow = { type: 'bandwidth', direction: 'upstream', attributes: { rate: 1, scope: 'proxy' } } as const
  await using proxied = await startUdp([slow], { clock })
  const [one, two] = [await proxied.client(), await proxied.client()]
  const { connections, traffic } = proxied.proxy
  for (const [index, client] of [one, two, one, two].entries()) {
    client.send(`${index}`.padEnd(10))
    await untilTrue(() => traffic.upstream.receivedBytes === (index + 1) * 10, 'the packet')
  }
  clock.advance(20)
  await proxied.server.untilPackets(2)
  for (const session of connections) if (session.number === 1) session.reset()
  clock.advance(10)
  await proxied.server.untilPackets(3)
  expect(proxied.server.texts.map((text) => text.trim())).toEqual(['0', '1', '3'])
  // Alone, a line of its own would have sent both packets of a client by now.
  expect(clock.pendingTimers).toBe(1) // that of the idle time
})
