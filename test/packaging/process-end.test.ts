// What has been closed, or reset, leaves nothing behind that keeps its process alive: the process ends by itself.
import { expect, test } from 'vitest'
import { PATIENCE_MS, UserFolder } from './support.ts'

/** Everything that may hold a timer or a socket: live connections with held bytes, times to live, chaos, a partition. */
const use = `
import net from 'node:net'
import { once } from 'node:events'
import { latency, resetPeer, stall, udp } from 'faultline'

export async function use(network) {
  const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const proxy = await network.link('a', 'b', { upstream: '127.0.0.1:' + echo.address().port, name: 'p' })
  await network.proxy('dns', { upstream: '127.0.0.1:9', protocol: 'udp', faults: [udp.latency({ latency: 60_000 })] })
  const fault = await proxy.inject(latency({ latency: 60_000 }), { ttlMs: 60_000, direction: 'upstream' })
  await proxy.inject(stall({ durationMs: 60_000 }))
  await network.chaos({ faults: [resetPeer({ timeout: 60_000 })], rate: 1, durationMs: 60_000 })
  await network.replay([{ atMs: 0, forMs: 60_000, proxy: 'p', fault: latency({ latency: 60_000 }) }])
  const client = net.connect(proxy.port, '127.0.0.1').on('error', () => {})
  client.write('held')
  await fault.untilInjected()
  await network.partition(['a'], ['b'])
  return {
    fault,
    stopOthers() {
      client.destroy()
      echo.close()
    },
  }
}

export function waitInVain(fault) {
  fault.untilInjected(9, { timeoutMs: 60_000 }).catch(({ code }) => console.log('waited until', code))
}
`

const scripts: Readonly<Record<string, string>> = {
  'a network that is closed': `
    import { startNetwork } from 'faultline'
    const network = await startNetwork()
    const { fault, stopOthers } = await use(network)
    waitInVain(fault)
    await network.close()
    stopOthers()`,

  'a network that is reset, when its proxies are closed': `
    import { startNetwork } from 'faultline'
    const network = await startNetwork()
    const { stopOthers } = await use(network)
    await network.reset()
    for (const proxy of network.proxies) await proxy.close()
    stopOthers()`,

  'the network of a file': `
    import { setupNetwork } from 'faultline/jest'
    const network = setupNetwork()
    await network.listen()
    const { fault, stopOthers } = await use(network)
    waitInVain(fault)
    await network.reset()
    await network.close()
    stopOthers()`,

  'the network of a test': `
    import { test } from 'node:test'
    import { testNetwork } from 'faultline/node-test'
    test('uses it', async (t) => {
      const { fault, stopOthers } = await use(await testNetwork(t))
      waitInVain(fault)
      t.after(stopOthers)
    })`,
}

for (const [what, script] of Object.entries(scripts)) {
  test(`${what} lets the process end`, { timeout: PATIENCE_MS }, async () => {
    const main = `import { use, waitInVain } from './use.mjs'\n${script}\n`
    await using folder = await UserFolder.create({ 'use.mjs': use, 'main.mjs': main })
    const { code, output } = await folder.node('main.mjs')
    expect(output).not.toContain('Error')
    expect(code).toBe(0)
    if (script.includes('waitInVain')) expect(output).toContain('waited until network_closed')
  })
}
