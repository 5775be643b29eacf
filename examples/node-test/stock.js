// A service that keeps orders by their id: the same order twice is one order.
import { once } from 'node:events'
import { createServer } from 'node:http'

export async function startStock() {
  const orders = new Set()
  const server = createServer((request, response) => {
    orders.add(request.url)
    response.end('ordered')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    orders,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
