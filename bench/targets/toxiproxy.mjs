// Shopify's Toxiproxy, without toxics.

import { findProgram } from '../programs.mjs'
import { startWithApi } from './toxiproxy-api.mjs'
import { host } from '../network.mjs'

/** @type {import('./target.mjs').Target} */
export const toxiproxy = {
  name: 'toxiproxy',
  carries: 'tcp',
  injectsFaults: true,
  async find() {
    return (await findProgram('toxiproxy-server')) ?? { missing: 'toxiproxy-server is not on PATH' }
  },
  async start(setting) {
    const { path } = await findProgram('toxiproxy-server')
    return startWithApi(setting, (apiPort) => [path, '-host', host, '-port', String(apiPort)])
  },
}
