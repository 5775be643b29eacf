// Starts the stream server as a process of its own.

import { startHelper } from '../children.mjs'
import { freePort } from '../network.mjs'

/** @returns {Promise<{ port: number, ask: (request: object) => Promise<any> }>} */
export async function startStreamUpstream() {
  const helper = startHelper(new URL('stream-server.mjs', import.meta.url))
  const port = await freePort()
  await helper.ask({ type: 'listen', port })
  return { port, ask: helper.ask }
}
