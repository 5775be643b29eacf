// A port to which no connection is ever made: its queue of connections is full, and the kernel drops what comes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'

/** Linux lets one more connection than this into the queue. */
const BACKLOG = 1

const LISTEN = `
  const server = require('net').createServer()
  server.listen({ host: '127.0.0.1', port: 0, backlog: ${BACKLOG} }, () => {
    process.stdout.write(String(server.address().port))
  })
`

export interface DeafServer extends Disposable {
  readonly port: number
}

export async function startDeafServer(): Promise<DeafServer> {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(said)
  // It would accept what is in the queue, and make room.
  child.kill('SIGSTOP')
  const inQueue = Array.from({ length: BACKLOG + 1 }, () => net.connect({ host: '127.0.0.1', port }))
  await Promise.all(inQueue.map((socket) => once(socket, 'connect')))
  return {
    port,
    [Symbol.dispose]() {
      for (const socket of inQueue) socket.destroy()
      child.kill('SIGKILL')
    },
  }
}

/** Connection attempts of this process that are under way. */
export function connectionAttempts(): number {
  return process.getActiveResourcesInfo().filter((name) => name.endsWith('ConnectWrap')).length
}
