// Promise 2 of the data plane: whatever is added, changed and removed while bytes flow, none is lost or reordered.
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FaultDirection, FaultSpec } from '../../proxy/index.ts'
import { startProxied, type Proxied } from '../support/proxied.ts'

/** Runs of the property. Each opens a real connection through a real proxy. */
const RUNS = process.env['FAULTLINE_LONG'] ? 20_000 : 1_200
/** fast-check runs one after the other; so many of them side by side use the waiting time of each other. */
const LANES = 8

/** Faults that delay, cut or throttle, none that destroys. Small numbers, so that a run takes milliseconds. */
const losslessFault = fc.oneof(
  fc.record({ latency: fc.nat(6), jitter: fc.nat(6) }).map((attributes) => ({ type: 'latency', attributes })),
  fc
    .record({ rate: fc.integer({ min: 2_000, max: 200_000 }) })
    .map((attributes) => ({ type: 'bandwidth', attributes })),
  fc
    .record({ average_size: fc.integer({ min: 200, max: 5_000 }), size_variation: fc.nat(300), delay: fc.nat(100) })
    .map((attributes) => ({ type: 'slicer', attributes })),
  fc.record({ delay: fc.nat(6) }).map((attributes) => ({ type: 'slow_close', attributes })),
  fc.constant({ type: 'noop', attributes: {} }),
  fc
    .record({
      latency: fc.nat(4),
      jitter: fc.nat(4),
      distribution: fc.constant('normal'),
      correlation: fc.constantFrom(0, 0.9),
    })
    .map((attributes) => ({ type: 'latency', attributes })),
  fc
    .record({ bytes: fc.nat(50_000), afterMs: fc.nat(3), durationMs: fc.integer({ min: 1, max: 6 }) })
    .map((attributes) => ({ type: 'stall', attributes })),
  fc
    .record({ loss: fc.constantFrom(0, 0.02), rtt: fc.integer({ min: 1, max: 3 }), rtoMin: fc.constant(5) })
    .map((attributes) => ({ type: 'packet_loss', attributes })),
  fc
    .record({ rate: fc.integer({ min: 5_000, max: 200_000 }), scope: fc.constant('proxy'), burst: fc.nat(5_000) })
    .map((attributes) => ({ type: 'bandwidth', attributes })),
  // Held until it would act, which is never here.
  fc.constant({ type: 'reset_peer', attributes: { timeout: 3_600_000 } }),
)

type Step =
  | { readonly do: 'send'; readonly bytes: number }
  | { readonly do: 'add'; readonly name: number; readonly direction: FaultDirection; readonly fault: FaultSpec }
  | { readonly do: 'update'; readonly name: number; readonly fault: FaultSpec; readonly probability: number }
  | { readonly do: 'remove'; readonly name: number }
  | { readonly do: 'turn' }

const name = fc.nat(4)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('send' as const), bytes: fc.oneof(fc.nat(300), fc.nat(90_000)) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      name,
      direction: fc.constantFrom<FaultDirection>('upstream', 'downstream', 'both'),
      fault: losslessFault,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('update' as const),
      name,
      fault: losslessFault,
      probability: fc.constantFrom(0, 0.5, 1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
)

const source = randomBytes(1_000_000)

describe('bytes survive every change of faults on a live connection, both ways', () => {
  for (let lane = 0; lane < LANES; lane++) {
    test.concurrent(`lane ${lane + 1}`, { timeout: 600_000 }, async () => {
      await using proxied = await startProxied()
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), (steps) => run(proxied, steps)),
        { numRuns: RUNS / LANES },
      )
    })
  }
})

async function run(proxied: Proxied, steps: readonly Step[]): Promise<void> {
  proxied.proxy.removeAllFaults()
  const { client, server } = await proxied.connect()
  let sent = 0
  for (const action of steps) {
    if (action.do === 'send') {
      const bytes = Math.min(action.bytes, source.length - sent)
      const chunk = source.subarray(sent, sent + bytes)
      client.write(chunk)
      server.write(chunk)
      sent += bytes
    } else if (action.do === 'turn') await new Promise((resolve) => setImmediate(resolve))
    else change(proxied, action)
  }
  client.end()
  server.end()
  // What would wait for hours is let go; all else must arrive by itself.
  for (const fault of proxied.proxy.faults) if (fault.type === 'reset_peer') proxied.proxy.removeFault(fault.name)
  expect(await client.untilEnded(10_000)).toBe('FIN')
  expect(await server.untilEnded(10_000)).toBe('FIN')
  expect(client.received.equals(source.subarray(0, sent))).toBe(true)
  expect(server.received.equals(source.subarray(0, sent))).toBe(true)
}

function change({ proxy }: Proxied, action: Exclude<Step, { do: 'send' | 'turn' }>): void {
  const name = `f${action.name}`
  const present = proxy.fault(name)
  if (action.do === 'add') {
    if (!present) proxy.addFault({ ...action.fault, name, direction: action.direction })
  } else if (present && action.do === 'remove') proxy.removeFault(name)
  else if (present && action.do === 'update') {
    const { probability } = action
    const sameType = present.type === action.fault.type
    proxy.updateFault(name, sameType ? { probability, attributes: action.fault.attributes ?? {} } : { probability })
  }
}
