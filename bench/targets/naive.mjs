// The TCP proxy everybody writes first in Node: two pipes.

import { fileURLToPath } from 'node:url'
import { startListener } from './target.mjs'

const script = fileURLToPath(new URL('naive-proxy.mjs', import.meta.url))

/** @type {import('./target.mjs').Target} */
export const naive = {
  name: 'naive',
  carries: 'tcp',
  injectsFaults: false,
  find: async () => ({ version: `Node ${process.versions.node}` }),
  start: ({ upstreamPort }) => startListener((port) => [process.execPath, script, String(port), String(upstreamPort)]),
}
