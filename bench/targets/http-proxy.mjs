// The npm package http-proxy, which parses HTTP; only in the scenarios that speak it.

import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { startListener } from './target.mjs'

const script = fileURLToPath(new URL('http-proxy-server.mjs', import.meta.url))

/** @type {import('./target.mjs').Target} */
export const httpProxy = {
  name: 'http-proxy',
  carries: 'http',
  injectsFaults: false,
  async find() {
    try {
      return { version: createRequire(import.meta.url)('http-proxy/package.json').version }
    } catch (error) {
      return { missing: `not installed (npm ci): ${error.code}` }
    }
  },
  start: ({ upstreamPort }) => startListener((port) => [process.execPath, script, String(port), String(upstreamPort)]),
}
