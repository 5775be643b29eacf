// A cut cable under load: every byte arrives, in order, exactly once, and what waits is bounded.
import { createHash, randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { Network } from '../../proxy/index.ts'
import { portOf } from '../support/proxied.ts'
import { RawServer, RawSocket } from '../support/sockets.ts'

const CONNECTIONS = 50
const CUT_MS = process.env['FAULTLINE_LONG'] ? 10_000 : 1000
const PIECE = 4096

/** Sends pieces through an echo until it is stopped; as much as the other side takes. */
class Talker {
  readonly #socket: RawSocket
  readonly #sent = createHash('sha256')
  sentBytes = 0
  #stopped = false

  constructor(socket: RawSocket) {
    this.#socket = socket
    this.#send()
  }

  #send(): void {
    while (!this.#stopped) {
      const piece = randomBytes(PIECE)
      this.#sent.update(piece)
      this.sentBytes += piece.length
      if (this.#socket.socket.write(piece)) {
        setImmediate(() => this.#send())
        return
      }
      this.#socket.socket.once('drain', () => this.#send())
      return
    }
  }

  stop(): void {
    this.#stopped = true
  }

  /** Of what was sent, and of what came back once that is as much. */
  async digests(): Promise<{ readonly sent: string; readonly received: string }> {
    await this.#socket.untilBytes(this.sentBytes, 30_000)
    const received = createHash('sha256').update(this.#socket.received).digest('hex')
    return { sent: this.#sent.digest('hex'), received }
  }
}

test(
  `${CONNECTIONS} connections under load outlive a partition`,
  async () => {
    await using upstream = await RawServer.echo()
    await using network = new Network({ seed: 1 })
    const link = await network.createProxy({ name: 'l', from: 'app', to: 'db', upstream: upstream.address })
    const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => RawSocket.connect(portOf(link))))
    const talkers = sockets.map((socket) => new Talker(socket))
    await Promise.all(sockets.map((socket) => socket.untilBytes(PIECE)))

    const cut = network.partition({ groups: [['app'], ['db']] })
    const late = await RawSocket.connect(portOf(link))
    late.write('late')
    // The cut lasts for a time: nothing else says that it is over.
    await new Promise((resolve) => setTimeout(resolve, CUT_MS))
    // 64 KiB and one read of at most 256 KiB behind it are kept in each direction.
    for (const connection of link.connections) expect(connection.heldBytes).toBeLessThan(2 * (64 + 256) * 1024)
    expect(late.receivedBytes).toBe(0)
    cut.heal()

    for (const talker of talkers) talker.stop()
    for (const { sent, received } of await Promise.all(talkers.map((talker) => talker.digests()))) {
      expect(received).toBe(sent)
    }
    await late.untilBytes(4)
    expect(late.text).toBe('late')
  },
  CUT_MS + 60_000,
)
