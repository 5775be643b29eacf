// Whatever is pushed, lost, changed and removed: every byte arrives, once, and FIN after the last. Virtual time.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_LINK, type LinkAttributes } from '../../../../proxy/faults/packet-loss/attributes.ts'
import { LossyLink } from '../../../../proxy/faults/packet-loss/link.ts'
import { Random } from '../../../../proxy/random.ts'
import { VirtualClock } from '../../../../bench/loss/virtual-clock.mjs'

const RUNS = process.env['FAULTLINE_LONG'] ? 5000 : 400

const way = fc.constantFrom('upstream' as const, 'downstream' as const)
const attributes: fc.Arbitrary<Partial<LinkAttributes>> = fc.record({
  upstreamLoss: fc.constantFrom(0, 0.05, 0.3, 0.9, 1),
  downstreamLoss: fc.constantFrom(0, 0.05, 0.3, 0.9, 1),
  burst: fc.constantFrom(1, 3, 50),
  rttMs: fc.constantFrom(1, 10, 333),
  mssBytes: fc.constantFrom(88, 536, 1448),
  rtoMinMs: fc.constantFrom(5, 200),
  congestion: fc.constantFrom('cubic' as const, 'reno' as const, 'none' as const),
})
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('push' as const), way, bytes: fc.integer({ min: 1, max: 60_000 }) }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 3000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('update' as const), attributes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), way }) },
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

test('no byte is lost, doubled or overtaken by FIN, and one timer is enough', () => {
  fc.assert(
    fc.property(fc.integer(), attributes, fc.array(step, { maxLength: 40 }), (seed, initial, steps) => {
      const run = new Run(seed, initial)
      for (const one of steps) run.apply(one)
      run.link.update({ ...DEFAULT_LINK, upstreamLoss: 0.2, downstreamLoss: 0.2 })
      // A day: after heavy loss a timeout waits two minutes, as TCP's does, and there may be hundreds of them.
      run.wait(86_400_000)
      expect(run.delivered).toEqual(run.pushed)
      expect(run.endsSeen).toEqual(run.endsSent)
      expect(run.mostTimers).toBeLessThanOrEqual(1)
    }),
    { numRuns: RUNS },
  )
})

test('what is released or becomes lossless arrives in the same turn', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      attributes,
      fc.array(step, { maxLength: 20 }),
      fc.boolean(),
      (seed, initial, steps, heal) => {
        const run = new Run(seed, initial)
        for (const one of steps) run.apply(one)
        if (heal) run.link.update({ ...DEFAULT_LINK, upstreamLoss: 0, downstreamLoss: 0 })
        else run.link.releaseAll()
        expect(run.delivered).toEqual(run.pushed)
        expect(run.endsSeen).toEqual(run.endsSent)
        expect(run.clock.pendingTimers).toBe(0)
      },
    ),
    { numRuns: RUNS },
  )
})

test('the same seed and the same writes give the same losses at the same times; another seed gives others', () => {
  expect(history(1)).toBe(history(1))
  expect(history(1)).not.toBe(history(2))
})

test('after dispose nothing is called back, and no timer is left', () => {
  const run = new Run(1, { upstreamLoss: 0.5, downstreamLoss: 0.5 })
  run.link.push('downstream', 100_000)
  run.link.end('downstream')
  run.link.dispose()
  run.log.length = 0
  run.link.releaseAll()
  run.wait(60_000)
  expect(run.log).toEqual([])
  expect(run.clock.pendingTimers).toBe(0)
})

test('a callback that disposes of the link is the last one', () => {
  const run = new Run(1, { upstreamLoss: 0.01, downstreamLoss: 0.01 })
  for (const side of ['upstream', 'downstream'] as const) {
    run.apply({ do: 'push', way: side, bytes: 100 })
    run.apply({ do: 'end', way: side })
  }
  run.onDeliver = () => run.link.dispose()
  run.wait(60_000)
  expect(run.log).toEqual(['5 upstream 100'])
  expect(run.endsSeen).toEqual({ upstream: 0, downstream: 0 })
})

test('a callback may push, release and dispose', () => {
  const clock = new VirtualClock()
  const log: string[] = []
  const link: LossyLink = new LossyLink({
    clock,
    attributes: { ...DEFAULT_LINK, downstreamLoss: 0.3 },
    random: { upstream: new Random(1), downstream: new Random(2) },
    events: {
      upstream: {
        deliver: (bytes) => {
          log.push(`up ${bytes}`)
          link.push('downstream', 5000)
          link.end('downstream')
          link.releaseAll()
        },
        end: () => log.push('up end'),
      },
      downstream: {
        deliver: (bytes) => {
          log.push(`down ${bytes}`)
          link.dispose()
        },
        end: () => log.push('down end'),
      },
    },
  })
  link.push('upstream', 10)
  link.end('upstream')
  while (clock.step());
  expect(log).toEqual(['up 10', 'up end', 'down 5000'])
})

/** What happens to twenty rounds of writes. */
function history(seed: number): string {
  const run = new Run(seed, { upstreamLoss: 0.1, downstreamLoss: 0.1, burst: 2 })
  for (let round = 0; round < 20; round++) {
    run.apply({ do: 'push', way: 'upstream', bytes: 100 })
    run.apply({ do: 'push', way: 'downstream', bytes: 50_000 })
    run.apply({ do: 'wait', ms: 500 })
  }
  return run.log.join('\n')
}

/** Applies steps to a link and checks on the way what can be checked at any time. */
class Run {
  readonly clock = new VirtualClock()
  readonly pushed = { upstream: 0, downstream: 0 }
  readonly delivered = { upstream: 0, downstream: 0 }
  readonly endsSent = { upstream: 0, downstream: 0 }
  readonly endsSeen = { upstream: 0, downstream: 0 }
  readonly log: string[] = []
  mostTimers = 0
  onDeliver = (): void => {}
  readonly link: LossyLink

  constructor(seed: number, initial: Partial<LinkAttributes>) {
    const events = (side: 'upstream' | 'downstream') => ({
      deliver: (bytes: number) => {
        expect(bytes).toBeGreaterThan(0)
        expect(this.endsSeen[side]).toBe(0)
        this.delivered[side] += bytes
        expect(this.delivered[side]).toBeLessThanOrEqual(this.pushed[side])
        this.log.push(`${this.clock.now()} ${side} ${bytes}`)
        this.onDeliver()
      },
      end: () => {
        this.endsSeen[side]++
        expect(this.delivered[side]).toBe(this.pushed[side])
      },
      lost: ({ kind, offset, transmission }: { kind: string; offset: number; transmission: number }) =>
        void this.log.push(`${side} lost ${kind} ${offset} ${transmission}`),
    })
    this.link = new LossyLink({
      clock: this.clock,
      attributes: { ...DEFAULT_LINK, ...initial },
      random: { upstream: new Random(seed, 'upstream'), downstream: new Random(seed, 'downstream') },
      events: { upstream: events('upstream'), downstream: events('downstream') },
    })
  }

  apply(one: Step): void {
    if (one.do === 'push' && this.endsSent[one.way] === 0) {
      this.pushed[one.way] += one.bytes
      this.link.push(one.way, one.bytes)
    } else if (one.do === 'end' && this.endsSent[one.way] === 0) {
      this.endsSent[one.way]++
      this.link.end(one.way)
    } else if (one.do === 'wait') this.wait(one.ms)
    else if (one.do === 'update') this.link.update({ ...DEFAULT_LINK, ...one.attributes })
    else if (one.do === 'release') this.link.releaseAll()
    this.mostTimers = Math.max(this.mostTimers, this.clock.pendingTimers)
  }

  wait(ms: number): void {
    const untilMs = this.clock.now() + ms
    // A timer of our own, so that the clock gets there when the link has none.
    this.clock.setTimer(() => {}, ms)
    this.clock.run(() => true, untilMs)
  }
}
