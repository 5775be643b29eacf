// The few calls of Toxiproxy's admin API that the bench needs. Toxiproxy and Faultline both answer them.

import { setTimeout as delay } from 'node:timers/promises'
import { startProgram } from '../children.mjs'
import { freePort, host } from '../network.mjs'

const proxyName = 'bench'

/**
 * @typedef {object} Toxic
 * @property {string} name
 * @property {string} type
 * @property {'upstream' | 'downstream'} stream
 * @property {Record<string, number>} attributes
 *
 * @typedef {object} ToxiproxyApi
 * @property {(toxic: Toxic) => Promise<void>} addToxic
 * @property {(name: string) => Promise<void>} removeToxic
 */

/**
 * Starts a server with Toxiproxy's API and makes one proxy on it.
 *
 * @param {import('./target.mjs').Setting} setting
 * @param {(apiPort: number) => [command: string, ...args: string[]]} commandFor
 * @param {Toxic[]} [toxics] to begin with
 * @returns {Promise<import('./target.mjs').RunningTarget>}
 */
export async function startWithApi({ upstreamPort, protocol, faults, options }, commandFor, toxics = []) {
  const apiPort = await freePort()
  const port = await freePort()
  const [command, ...args] = commandFor(apiPort)
  const program = startProgram(command, args)
  const call = caller(apiPort)
  const api = {
    addToxic: (toxic) => call('POST', `/proxies/${proxyName}/toxics`, { toxicity: 1, ...toxic }),
    removeToxic: (name) => call('DELETE', `/proxies/${proxyName}/toxics/${name}`),
  }
  try {
    await waitUntilAnswering(call, program)
    const addresses = { listen: `${host}:${port}`, upstream: `${host}:${upstreamPort}` }
    // Only Faultline knows protocols, under its own path.
    if (protocol) await call('POST', '/v1/proxies', { name: proxyName, protocol, faults, ...options, ...addresses })
    else await call('POST', '/proxies', { name: proxyName, enabled: true, ...addresses })
    for (const toxic of toxics) await api.addToxic(toxic)
  } catch (error) {
    await program.stop()
    throw error
  }
  return { port, pid: program.pid, stop: program.stop, api }
}

function caller(apiPort) {
  return async (method, path, body) => {
    const response = await fetch(`http://${host}:${apiPort}${path}`, {
      method,
      signal: AbortSignal.timeout(5000),
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`)
  }
}

async function waitUntilAnswering(call, program) {
  let last
  for (let attempt = 0; attempt < 400; attempt++) {
    if (program.hasEnded()) throw new Error(program.lastWords())
    try {
      return await call('GET', '/version')
    } catch (error) {
      last = error
    }
    await delay(25)
  }
  throw new Error(`its API did not answer within 10 s: ${last.message}; ${program.lastWords()}`)
}
