// A partition: what is on its way when the link is cut arrives when it has healed, though nobody waits for it any more.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { http, startNetwork } from 'faultline'
import { assertInjected, testNetwork } from 'faultline/node-test'
import { order } from './order.js'
import { startStock } from './stock.js'

let service
before(async () => {
  service = await startStock()
})
after(() => service.close())

test('split brain', async (t) => {
  const network = await startNetwork({ seed: 7 })
  t.after(() => network.close())
  const stock = await network.link('orders', 'stock', { upstream: service.url })
  const cut = await network.partition(['orders'], ['stock'])
  await assert.rejects(order(stock.url, 1), { name: 'TimeoutError' })
  assertInjected(cut)
  await cut.heal()
  await order(stock.url, 1)
  // The first one may have arrived as well: it is good that orders have ids.
  assert.deepEqual([...service.orders], ['/orders/1'])
})

// The same with less to write: testNetwork() closes the network, and tells of its seed when the test has failed.
test('an answer that is no order', async (t) => {
  const network = await testNetwork(t)
  const stock = await network.proxy('stock', { upstream: service.url })
  await stock.inject(http.abort({ path: '/orders/*', status: 503 }), { times: 1 })
  await assert.rejects(order(stock.url, 2), /503/)
  await order(stock.url, 2)
  assertInjected(stock, { type: 'http_abort', times: 1 })
})
