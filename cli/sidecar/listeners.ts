// Who listens on a port of this machine, as the kernel tells.
import { readFileSync } from 'node:fs'
import { systemCode } from '../../proxy/errors.ts'

/** The state of a socket that listens (include/net/tcp_states.h, TCP_LISTEN). */
const LISTEN = '0A'

/** The users of all sockets that listen on a port; without any, none (proc(5), net/tcp). Linux only. */
export function usersListeningOn(port: number): readonly number[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const users = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(socketsIn).flatMap((socket) => {
    const [, local, , state, , , , uid] = socket
    return state === LISTEN && local?.endsWith(suffix) ? [Number(uid)] : []
  })
  return [...new Set(users)]
}

/** The columns of each line below the heading. */
function socketsIn(table: string): string[][] {
  const lines = readTable(table).split('\n').slice(1)
  return lines.filter((line) => line !== '').map((line) => line.trim().split(/\s+/))
}

/** A kernel without IPv6 has no table of it. */
function readTable(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return ''
    throw error
  }
}
