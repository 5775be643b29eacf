// Faultline as its users run it: `faultline serve` from the build, once without a fault and once with a latency toxic of
// 0 ms on each direction, which puts every byte through a stage.

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { host } from '../network.mjs'
import { startWithApi } from './toxiproxy-api.mjs'

const root = new URL('../../', import.meta.url)
const builtCommand = 'dist/esm/cli/main.js'
const main = fileURLToPath(new URL(builtCommand, root))
const manifest = new URL('package.json', root)

const latency0 = ['upstream', 'downstream'].map((stream) => {
  return { name: `latency0-${stream}`, type: 'latency', stream, attributes: { latency: 0, jitter: 0 } }
})

/** @type {import('./target.mjs').Target} */
export const faultline = target('faultline', [])

/** @type {import('./target.mjs').Target} */
export const faultlineWithLatency0 = { ...target('faultline+latency0', latency0), injectsFaults: false }

function target(name, toxics) {
  return {
    name,
    carries: 'tcp',
    injectsFaults: true,
    async find() {
      if (!existsSync(main)) return { missing: `not built, ${builtCommand} is not there, run npm run build` }
      return { version: JSON.parse(readFileSync(manifest, 'utf8')).version }
    },
    start: (setting) => startWithApi(setting, serveCommand, toxics),
  }
}

function serveCommand(apiPort) {
  return [process.execPath, main, 'serve', '--host', host, '--port', String(apiPort)]
}
