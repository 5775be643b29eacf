// HTTP load from one process: wrk with one thread, or our own generator where wrk is missing.

import { fileURLToPath } from 'node:url'
import { runProgram, startHelper } from '../children.mjs'
import { host } from '../network.mjs'
import { findProgram } from '../programs.mjs'

const report = fileURLToPath(new URL('wrk-report.lua', import.meta.url))

/**
 * @typedef {object} HttpLoadRequest
 * @property {number} port
 * @property {number} connections
 * @property {number} seconds
 * @property {boolean} keepAlive false opens a connection for every request
 *
 * @typedef {object} HttpLoadResult
 * @property {number} requests
 * @property {number} durationMicros
 * @property {number} p50Micros
 * @property {number} p99Micros
 * @property {number} errors
 *
 * @typedef {{ description: string, run: (request: HttpLoadRequest) => Promise<HttpLoadResult> }} HttpLoad
 */

/** @returns {Promise<HttpLoad>} */
export async function findHttpLoad() {
  const wrk = await findProgram('wrk')
  return wrk === null ? nodeLoad() : wrkLoad(wrk)
}

function wrkLoad(wrk) {
  return {
    description: `wrk ${wrk.version}`,
    async run({ port, connections, seconds, keepAlive }) {
      const header = keepAlive ? [] : ['-H', 'Connection: close']
      const args = ['-t1', `-c${connections}`, `-d${seconds}s`, ...header, '-s', report, `http://${host}:${port}/`]
      const { stdout } = await runProgram(wrk.path, args, { timeoutMs: (seconds + 15) * 1000 })
      const line = /^REPORT (.*)$/m.exec(stdout)
      if (line === null) throw new Error(`wrk printed no report: ${stdout.slice(-500)}`)
      return checked(JSON.parse(line[1]))
    },
  }
}

function nodeLoad() {
  return {
    description: `the bench's own load generator on Node ${process.versions.node}`,
    async run(request) {
      const helper = startHelper(new URL('node-http-load.mjs', import.meta.url))
      try {
        return checked(await helper.ask(request))
      } finally {
        await helper.stop()
      }
    },
  }
}

// A proxy that answers with errors is fast; such a figure must not stand beside the others.
function checked(result) {
  if (result.requests === 0) throw new Error('not one request was answered')
  if (result.errors > result.requests / 1000) throw new Error(`${result.errors} errors in ${result.requests} requests`)
  return result
}
