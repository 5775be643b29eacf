// Where the container engine listens.
import { invalidAttribute } from '../../definition.ts'

const DEFAULT_SOCKET_PATH = '/var/run/docker.sock'
const UNIX_SCHEME = 'unix://'

/**
 * What was asked for, or what DOCKER_HOST says, or where Docker's engine is by default.
 *
 * @throws FaultlineError if that is no Unix socket
 */
export function findSocketPath(asked: string | undefined, host: string | undefined, field: string): string {
  if (asked !== undefined) {
    if (asked.startsWith('/')) return asked
    throw invalidAttribute(field, 'an absolute path', asked)
  }
  if (host === undefined || host === '') return DEFAULT_SOCKET_PATH
  if (host.startsWith(`${UNIX_SCHEME}/`)) return host.slice(UNIX_SCHEME.length)
  const expected = `the path of a Unix socket, as the one in DOCKER_HOST, ${JSON.stringify(host)}, is none`
  throw invalidAttribute(field, expected, asked)
}
