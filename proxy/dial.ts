// Whether anybody answers at an address: connects and hangs up. What connections are carried by is in connection.ts.
import { connect } from 'node:net'
import type { Address } from './address.ts'

/** Whoever is there answers at once; a dial that hangs this long, in milliseconds, is to a wrong address. */
const DIAL_LIMIT_MS = 2000

/** Resolves with the reason why nobody answers over TCP, or with undefined if somebody does. */
export function dial({ host, port }: Address): Promise<Error | undefined> {
  return new Promise((resolve) => {
    // A limit of the socket's own: it holds where a test has put fake timers in place.
    const socket = connect({ host, port, timeout: DIAL_LIMIT_MS })
    const settle = (reason?: Error): void => {
      socket.destroy()
      resolve(reason)
    }
    socket.once('connect', () => settle())
    socket.once('error', settle)
    socket.once('timeout', () => settle(new Error(`no answer within ${DIAL_LIMIT_MS} ms`)))
  })
}
