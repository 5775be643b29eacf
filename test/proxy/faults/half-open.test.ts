// half_open on the wire: the other end is gone, and nobody says so.
import { expect, test } from 'vitest'
import { startProxied } from '../../support/proxied.ts'
import { acts, observe, untilInjection, untilTrue } from '../../support/stream-faults.ts'

const DROP = { action: 'drop', detail: {} }

test('nothing passes either way; when the host is back, both ends get RST', async () => {
  await using proxied = await startProxied()
  const { client, server } = await proxied.connect()
  client.write('before')
  await server.untilBytes(6)
  proxied.proxy.addFault({ type: 'half_open' })
  client.write('question')
  server.write('push')
  await untilTrue(() => acts(proxied.network).length === 2, 'an act each way')
  expect([client.receivedBytes, server.receivedBytes]).toEqual([0, 6])
  expect([client.ending, server.ending]).toEqual(['open', 'open'])
  proxied.proxy.removeFault('half_open')
  expect([await client.untilEnded(), await server.untilEnded()]).toEqual(['ECONNRESET', 'ECONNRESET'])
  expect(acts(proxied.network)).toEqual([DROP, DROP, { action: 'reset', detail: { bytes: 12 } }])
})

test.each([
  ['client', 'end'],
  ['client', 'reset'],
  ['server', 'end'],
  ['server', 'reset'],
] as const)("the other end does not hear of the %s's %s, and gets RST when it is over", async (gone, how) => {
  await using proxied = await startProxied([{ type: 'half_open' }])
  const ends = await proxied.connect()
  const survivor = gone === 'client' ? ends.server : ends.client
  ends[gone][how]()
  await untilInjection(proxied.network, { action: 'drop' })
  // An end that is passed on arrives within a turn of the loop.
  await observe(50)
  expect(survivor.ending).toBe('open')
  proxied.proxy.removeFault('half_open')
  expect(await survivor.untilEnded()).toBe('ECONNRESET')
})

test('a connection on which nothing was sent meanwhile goes on', async () => {
  await using proxied = await startProxied([{ type: 'half_open' }])
  const { client, server } = await proxied.connect()
  proxied.proxy.removeFault('half_open')
  client.end('on')
  expect(await server.untilEnded()).toBe('FIN')
  expect(server.text).toBe('on')
  expect(acts(proxied.network)).toEqual([])
})

test('it is about whole connections: a direction is refused', async () => {
  await using proxied = await startProxied()
  const add = () => proxied.proxy.addFault({ type: 'half_open', direction: 'upstream' })
  expect(add).toThrow('direction: expected nothing, as this fault is about whole connections, got "upstream"')
  expect([...proxied.proxy.faults]).toEqual([])
  expect(proxied.proxy.addFault({ type: 'half_open', direction: 'both' }).name).toBe('half_open')
})
