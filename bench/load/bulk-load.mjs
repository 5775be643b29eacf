// One connection at full speed: iperf3, or the bench's own sender and receiver where iperf3 is missing.

import { runProgram, startHelper, startProgram } from '../children.mjs'
import { freePort, host } from '../network.mjs'
import { findProgram } from '../programs.mjs'
import { startStreamUpstream } from '../upstreams/stream-upstream.mjs'

/**
 * @typedef {object} BulkLoad
 * @property {string} description
 * @property {number} upstreamPort the same for the whole run
 * @property {(request: { port: number, seconds: number, direction: 'up' | 'down' }) => Promise<BulkResult>} run
 *
 * @typedef {{ bytes: number, seconds: number }} BulkResult as counted by the receiver
 */

/** @returns {Promise<BulkLoad>} */
export async function startBulkLoad() {
  const iperf3 = await findProgram('iperf3')
  return iperf3 === null ? nodeBulkLoad() : iperfLoad(iperf3, await freePort())
}

function iperfLoad(iperf3, upstreamPort) {
  return {
    description: `iperf3 ${iperf3.version}`,
    upstreamPort,
    async run({ port, seconds, direction }) {
      // A server for each run: one whose client was cut off refuses the next one for a while.
      const server = startProgram(iperf3.path, serverArgs(upstreamPort), { keepStdout: true })
      try {
        await listening(server)
        const args = ['-c', host, '-p', String(port), '-t', String(seconds), '-i', '0', '-J']
        if (direction === 'down') args.push('-R')
        const { stdout } = await runProgram(iperf3.path, args, { timeoutMs: (seconds + 10) * 1000 })
        const received = JSON.parse(stdout).end.sum_received
        return { bytes: received.bytes, seconds: received.seconds }
      } finally {
        await server.stop()
      }
    },
  }
}

function serverArgs(port) {
  return ['-s', '-1', '-B', host, '-p', String(port), '--forceflush']
}

// Trying to connect would use up the one connection this server is there for, so wait for what it prints.
function listening(server) {
  return new Promise((resolve, reject) => {
    void server.ended.then((code) => reject(new Error(`the iperf3 server ended with ${code}: ${server.errorText()}`)))
    server.stdout.setEncoding('utf8').on('data', (text) => {
      if (text.includes('listening')) resolve()
    })
  })
}

async function nodeBulkLoad() {
  const upstream = await startStreamUpstream()
  return {
    description: `the bench's own bulk load on Node ${process.versions.node}`,
    upstreamPort: upstream.port,
    async run({ port, seconds, direction }) {
      const client = startHelper(new URL('stream-client.mjs', import.meta.url))
      try {
        if (direction === 'down') return await client.ask({ type: 'download', port, seconds, warmUpSeconds: 0 })
        await client.ask({ type: 'upload', port, seconds })
        return await upstream.ask({ type: 'sunk' })
      } finally {
        await client.stop()
      }
    },
  }
}
