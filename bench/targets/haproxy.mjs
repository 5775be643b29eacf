// HAProxy with one thread, as Node has one: in TCP mode, and in HTTP mode for the scenario of that.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '../children.mjs'
import { findProgram } from '../programs.mjs'
import { startListener } from './target.mjs'

/** @type {import('./target.mjs').Target} */
export const haproxy = target('haproxy', 'tcp')

/** @type {import('./target.mjs').Target} */
export const haproxyHttp = { ...target('haproxy-http', 'http'), scenarios: ['http', 'transparency'] }

function target(name, mode) {
  return {
    name,
    carries: mode,
    injectsFaults: false,
    async find() {
      return (await findProgram('haproxy')) ?? { missing: 'haproxy is not on PATH' }
    },
    async start(setting) {
      const { path } = await findProgram('haproxy')
      const file = join(temporaryFolder(), `${name}.cfg`)
      return startListener((port) => {
        writeFileSync(file, configuration(port, mode, setting))
        // -db: stay in the foreground, one process.
        return [path, '-db', '-f', file]
      })
    },
  }
}

function configuration(port, mode, { upstreamPort, maxConnections }) {
  return `global
  nbthread 1
  maxconn ${maxConnections + 100}
defaults
  mode ${mode}
  maxconn ${maxConnections + 100}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind 127.0.0.1:${port}
  server upstream 127.0.0.1:${upstreamPort}
`
}
