// Each mechanism of TCP by a small example: which packets are lost, and when the bytes arrive. Round trip 10 ms.
import { expect, test } from 'vitest'
import { SimulatedLink } from './simulated-link.ts'

const MSS = 1448

test('what is not lost arrives half a round trip later', () => {
  const simulated = new SimulatedLink({})
  simulated.link.push('downstream', 3 * MSS)
  simulated.run()
  expect(simulated.log).toEqual([`5 downstream ${3 * MSS}`])
})

test('fast retransmit: three segments behind a gap bring the lost one at once, one round trip late', () => {
  const simulated = new SimulatedLink({ downstream: [`data ${MSS} 1`] })
  simulated.link.push('downstream', 5 * MSS)
  simulated.run()
  // Sent at 0, missed at 10 when the three have been acknowledged, sent again, there at 15: with all that waited.
  expect(simulated.log).toEqual([`5 downstream ${MSS}`, `15 downstream ${4 * MSS}`])
})

test('tail loss probe: the last segment is sent again and shows what else is missing', () => {
  const simulated = new SimulatedLink({ downstream: [`data ${2 * MSS} 1`, `data ${3 * MSS} 1`] })
  simulated.link.push('downstream', 4 * MSS)
  simulated.run()
  // 10: the first two are acknowledged. Two smoothed round trips and 8 ms later, at the wheel's tick 40, the probe. Its
  // acknowledgement at 50 tells that the third is lost, which then arrives at 55. A timeout would have taken 210.
  expect(simulated.packets).toContain(`40 downstream data ${3 * MSS} 2`)
  expect(simulated.log).toEqual([`5 downstream ${2 * MSS}`, `55 downstream ${2 * MSS}`])
})

test('retransmission timeout: the wait doubles with every try', () => {
  const lost = [1, 2, 3, 4].map((transmission) => `data 0 ${transmission}`)
  const simulated = new SimulatedLink({ downstream: lost })
  simulated.link.push('downstream', 100)
  simulated.run()
  // Timeout 210 = 10 + 200: a probe after one, then after one, two and four more, rounded up to the timer wheel's ticks.
  const sent = simulated.packets.filter((packet) => packet.includes('downstream data'))
  expect(sent.map((packet) => Number(packet.split(' ')[0]))).toEqual([0, 216, 432, 864, 1728])
  expect(simulated.log).toEqual(['1733 downstream 100'])
})

test('a timeout without a probe in flight sends only the first segment, then more as they arrive', () => {
  const lost = [0, MSS, 2 * MSS, 3 * MSS].map((offset) => `data ${offset} 1`)
  const simulated = new SimulatedLink({ downstream: [...lost, `data ${3 * MSS} 2`] })
  simulated.link.push('downstream', 4 * MSS)
  simulated.run()
  const [, probe, timeout, ...later] = rounds(simulated, 'data')
  expect(probe?.[1]).toEqual([expect.stringMatching(`data ${3 * MSS} 2$`)])
  expect(timeout?.[1]).toEqual([expect.stringMatching('data 0 2$')])
  // One round trip later the window is two segments, by slow start.
  expect(later[0]?.[0]).toBe((timeout?.[0] ?? 0) + 10)
  expect(later[0]?.[1]).toHaveLength(2)
})

test('head-of-line blocking: bytes behind a gap wait for it, those before do not', () => {
  const simulated = new SimulatedLink({ downstream: [`data ${MSS} 1`, `data ${MSS} 2`] })
  simulated.link.push('downstream', 2 * MSS)
  simulated.run(200)
  expect(simulated.log).toEqual([`5 downstream ${MSS}`])
  simulated.run()
  expect(simulated.delivered.downstream).toBe(2 * MSS)
})

test('delayed acknowledgement: once the application answers, an acknowledgement waits 40 ms for data', () => {
  const simulated = new SimulatedLink({})
  simulated.onDeliver = (way) => way === 'upstream' && simulated.link.push('downstream', 100)
  simulated.link.push('upstream', 64)
  simulated.run()
  simulated.link.push('upstream', 64)
  const from = simulated.packets.length
  simulated.run()
  // The server's acknowledgement goes with its answer, the client's by itself: 40 ms, rounded up to the next tick.
  const [answer, acknowledgement, ...others] = simulated.packets.slice(from)
  expect(answer).toMatch('downstream data 100 1')
  expect(acknowledgement).toMatch('upstream ack 200 1')
  expect(others).toEqual([])
  const waitedMs = timeOf(acknowledgement ?? '') - timeOf(answer ?? '') - 5
  expect(waitedMs).toBeGreaterThan(40)
  expect(waitedMs).toBeLessThanOrEqual(48)
})

test('a lost acknowledgement makes the sender repeat what had arrived; the application sees it once', () => {
  const simulated = new SimulatedLink({ upstream: [`ack 100 1`] })
  simulated.link.push('downstream', 100)
  simulated.run()
  expect(simulated.packets.filter((packet) => packet.includes('downstream data'))).toHaveLength(2)
  expect(simulated.log).toEqual(['5 downstream 100'])
})

test('shared fate: with an answer its acknowledgement of the request is lost, too, and both are sent again', () => {
  const simulated = new SimulatedLink({ downstream: ['data 0 1'] })
  // Two requests: the first acknowledgements of a connection are not delayed, hence not shared.
  simulated.onDeliver = (way) => way === 'upstream' && simulated.link.push('downstream', 100)
  simulated.link.push('upstream', 64)
  simulated.run()
  expect(simulated.lost).toEqual([{ kind: 'data', offset: 0, bytes: 100, transmission: 1 }])
  expect(simulated.delivered).toEqual({ upstream: 64, downstream: 100 })
})

test('undo by F-RTO: a timeout that only lost acknowledgements have caused leaves the window as it was', () => {
  const lostAcknowledgements = Array.from({ length: 11 }, (_, index) => `ack ${(index + 1) * MSS} 1`)
  const simulated = new SimulatedLink({ upstream: lostAcknowledgements })
  simulated.link.push('downstream', 40 * MSS)
  simulated.run()
  const sizes = rounds(simulated, 'downstream data').map(([, packets]) => packets.length)
  // Ten, a probe, the timeout's one; then, as its answer tells that nothing was lost, ten again and not two.
  expect(sizes.slice(0, 3)).toEqual([10, 1, 1])
  expect(sizes[3]).toBeGreaterThanOrEqual(10)
})

test('undo by D-SACK: the receiver says that the only segment had arrived before it was sent again', () => {
  const simulated = new SimulatedLink({ upstream: ['ack 100 1', 'ack 100 2'] })
  simulated.link.push('downstream', 100)
  simulated.run()
  // The original, the probe and the timeout's; the window had been one segment then.
  expect(simulated.packets.filter((packet) => packet.includes('downstream data'))).toHaveLength(3)
  const from = simulated.packets.length
  simulated.link.push('downstream', 20 * MSS)
  expect(simulated.packets.slice(from)).toHaveLength(10)
})

test('small writes are sent at once while the window has room, and together while it has not', () => {
  const simulated = new SimulatedLink({})
  for (let write = 0; write < 30; write++) simulated.link.push('downstream', 10)
  expect(simulated.packets).toHaveLength(10)
  expect(simulated.link.unsentBytes('downstream')).toBe(200)
  simulated.run()
  expect(simulated.packets.filter((packet) => packet.includes('downstream data'))).toHaveLength(11)
  expect(simulated.delivered.downstream).toBe(300)
})

test('FIN comes after the last byte, and is sent again when lost', () => {
  const simulated = new SimulatedLink({ downstream: ['data 100 1'] })
  simulated.link.push('downstream', 100)
  simulated.link.end('downstream')
  simulated.run()
  expect(simulated.log[0]).toBe('5 downstream 100')
  expect(simulated.log[1]).toMatch(/^\d+ downstream end$/)
  // A lost FIN is nobody's gap: only a probe, after a timeout, brings it.
  expect(timeOf(simulated.log[1] ?? '')).toBeGreaterThan(200)
})

test('the window halves about after a loss and grows again: reno', () => {
  const simulated = new SimulatedLink({ downstream: [`data 0 1`] }, { congestion: 'reno' })
  simulated.link.push('downstream', 200 * MSS)
  simulated.run()
  const sizes = rounds(simulated, 'downstream data').map(([, packets]) => packets.length)
  // 10 initially; the first of them lost; 5 once it is repaired (20 ms), then one more each round trip.
  expect(sizes[0]).toBe(10)
  const settled = sizes.slice(2, 6)
  expect(Math.min(...settled)).toBeGreaterThanOrEqual(5)
  expect(Math.max(...settled)).toBeLessThanOrEqual(9)
})

test('without congestion control a loss does not slow anything down', () => {
  const simulated = new SimulatedLink({ downstream: [`data 0 1`] }, { congestion: 'none' })
  simulated.link.push('downstream', 200 * MSS)
  simulated.run()
  expect(simulated.log).toEqual([`15 downstream ${200 * MSS}`])
})

test('timers that are late delay what they release, but do not add up', () => {
  const onTime = new SimulatedLink({})
  const late = new SimulatedLink({}, {}, 0.9)
  for (const { link } of [onTime, late]) link.push('downstream', 500 * MSS)
  onTime.run()
  late.run()
  const [endMs, lateEndMs] = [onTime, late].map(({ log }) => timeOf(log.at(-1) ?? ''))
  // Six round trips, twelve timers: lateness that added up would come to 10 ms.
  expect(endMs).toBe(55)
  expect(lateEndMs).toBeCloseTo(55.9)
})

function timeOf(packet: string): number {
  return Number(packet.split(' ')[0])
}

/** The packets that contain `kind`, by the time at which they were sent. */
function rounds(simulated: SimulatedLink, kind: string): [number, string[]][] {
  const byTime = new Map<number, string[]>()
  for (const packet of simulated.packets.filter((one) => one.includes(kind))) {
    byTime.set(timeOf(packet), [...(byTime.get(timeOf(packet)) ?? []), packet])
  }
  return [...byTime]
}
