// Connects to a TCP port, and if something is expected there, waits until it has come.
import net from 'node:net'
import { parseAddress } from '../../proxy/address.ts'
import type { Clock } from '../../proxy/clock.ts'
import { compilePattern, type Pattern } from '../../proxy/pattern.ts'
import { BoundedProbe } from './bounded-probe.ts'
import { AnswerTooLarge } from './failure.ts'
import { invalidField } from './invalid.ts'
import { MAX_ANSWER_BYTES, type Probe, type ProbeAnswer, type ProbeSettings } from './probe.ts'

export interface TcpProbeSpec extends ProbeSettings {
  readonly kind: 'tcp'
  /** `host:port`. */
  readonly address: string
  /** Sent at once, as UTF-8, e.g. `PING\r\n`. */
  readonly send?: string
  readonly expect?: {
    /** Part of what the server says, e.g. `+PONG`; `/…/` is a regular expression. Without it, to connect is enough. */
    readonly banner: Pattern
  }
}

/** @throws FaultlineError `invalid_value` or `invalid_address` naming the field */
export function createTcpProbe(spec: TcpProbeSpec, clock: Clock): Probe {
  const { host, port } = parseAddress(spec.address, 'address')
  if (host === '' || port === 0) throw invalidField('address', 'host:port with a port above 0', spec.address)
  const test = spec.expect && compilePattern(spec.expect.banner, 'contains', 'expect.banner')
  return new BoundedProbe(spec, clock, {
    async look(signal) {
      const socket = net.connect({ host, port })
      const end = (): unknown => socket.destroy(new Error('given up'))
      signal.addEventListener('abort', end)
      if (signal.aborted) end()
      try {
        return await converse(socket, spec.send, test)
      } finally {
        signal.removeEventListener('abort', end)
        socket.destroy()
      }
    },
    close: async () => undefined,
  })
}

async function converse(
  socket: net.Socket,
  send: string | undefined,
  test: ((text: string) => boolean) | undefined,
): Promise<ProbeAnswer> {
  let received = ''
  let bytes = 0
  const isFine = await new Promise<boolean>((resolve, reject) => {
    socket.setEncoding('utf8')
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
    socket.once('connect', () => {
      if (send !== undefined) socket.write(send)
      if (!test) resolve(true)
    })
    socket.on('data', (text: string) => {
      received += text
      bytes += Buffer.byteLength(text)
      if (test?.(received)) resolve(true)
      else if (bytes > MAX_ANSWER_BYTES) reject(new AnswerTooLarge())
    })
    socket.once('end', () => resolve(false))
  })
  const observed = { kind: 'tcp', received } as const
  return isFine
    ? { good: true, observed }
    : { good: false, observed, reason: received === '' ? 'closed without a banner' : 'closed after another banner' }
}
