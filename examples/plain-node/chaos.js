// A second of random faults between a client that tries again and a service, without any test runner. The seed decides
// what goes wrong when: FAULTLINE_SEED=<seed> node chaos.js repeats it.
import assert from 'node:assert/strict'
import { assertInjected, http, latency, resetPeer, startNetwork } from 'faultline'
import { order } from './order.js'
import { startStock } from './stock.js'

const service = await startStock()
const network = await startNetwork()
try {
  const stock = await network.proxy('stock', { upstream: service.url })
  const faults = [latency({ latency: 300 }), resetPeer(), http.abort({ path: '/orders/*', status: 503 })]
  const run = await network.chaos({ faults, rate: 10, durationMs: 1000, forMs: [50, 200] })

  const ids = Array.from({ length: 50 }, (_, index) => `/orders/${index}`)
  for (const id of ids) {
    await order(stock.url + id)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await run.done

  assert.deepEqual(service.orders, new Set(ids), 'all orders have arrived')
  assertInjected(stock)
  console.log(`${ids.length} orders, ${network.injections.length} injections: none was lost`)
} catch (error) {
  process.exitCode = 1
  console.error(error, network.report())
} finally {
  await network.close()
  service.close()
}
