// `faultline serve` from the build, and on it a proxy whose connections lose packets.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startProgram } from '../children.mjs'
import { freePort, host, waitUntilListening } from '../network.mjs'

const command = fileURLToPath(new URL('../../dist/esm/cli/main.js', import.meta.url))
const proxyPath = '/v1/proxies/loss'

/** @param {number} upstreamPort */
export async function startFaultline(upstreamPort) {
  if (!existsSync(command)) throw new Error('not built, run npm run build')
  const apiPort = await freePort()
  const program = startProgram(process.execPath, [command, 'serve', '--host', host, '--port', String(apiPort)])
  await waitUntilListening(apiPort, program)
  const call = (method, path, body) => callApi(`http://${host}:${apiPort}${path}`, method, body)
  return {
    stop: program.stop,
    /** @returns {Promise<number>} the port of a new proxy, as yet without a fault */
    async open() {
      const spec = { name: 'loss', listen: `${host}:0`, upstream: `${host}:${upstreamPort}` }
      const { listen } = await call('POST', '/v1/proxies', spec)
      return Number(listen.slice(listen.lastIndexOf(':') + 1))
    },
    lose: ({ way, rttMs, percent }) =>
      call('POST', `${proxyPath}/faults`, {
        type: 'packet_loss',
        direction: way === 'both' ? 'both' : 'downstream',
        attributes: { loss: percent / 100, rtt: rttMs },
      }),
    close: () => call('DELETE', proxyPath),
  }
}

async function callApi(url, method, body) {
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(5000),
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${method} ${url} was answered ${response.status}: ${text}`)
  return text && JSON.parse(text)
}
