// UDP for tests: ends that collect packets, a proxy between them, and single stages without sockets.
import dgram from 'node:dgram'
import { once } from 'node:events'
import {
  findFaultDefinition,
  InstalledFault,
  ManualClock,
  Network,
  type FaultProxy,
  type FaultSpec,
  type InjectionDetail,
  type NetworkOptions,
  type ProxySpec,
} from '../../proxy/index.ts'
import type { DatagramStage } from '../../proxy/faults/datagram/datagram-fault.ts'
import { Random } from '../../proxy/random.ts'
import { portOf } from './proxied.ts'

export interface ReceivedPacket {
  readonly packet: Buffer
  readonly from: dgram.RemoteInfo
  readonly atMs: number
}

/** A UDP socket that collects what it receives. */
export class UdpEnd {
  readonly socket: dgram.Socket
  readonly received: ReceivedPacket[] = []
  /** Codes of errors, e.g. of ICMP messages on a connected one. */
  readonly errors: (string | undefined)[] = []
  readonly #waiters = new Set<() => void>()

  private constructor(socket: dgram.Socket) {
    this.socket = socket
    socket.on('message', (packet, from) => {
      this.received.push({ packet, from, atMs: performance.now() })
      for (const waiter of this.#waiters) waiter()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.errors.push(error.code)
      for (const waiter of this.#waiters) waiter()
    })
  }

  static async open(host = '127.0.0.1', port = 0): Promise<UdpEnd> {
    // Room for some hundred packets more than by default, where the system gives it.
    const socket = dgram.createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 2 ** 20 })
    socket.bind(port, host)
    await once(socket, 'listening')
    return new UdpEnd(socket)
  }

  /** One that sends to a port of 127.0.0.1 only, and hears of ICMP errors. */
  static async connect(port: number): Promise<UdpEnd> {
    const end = await UdpEnd.open()
    end.socket.connect(port, '127.0.0.1')
    await once(end.socket, 'connect')
    return end
  }

  get port(): number {
    return this.socket.address().port
  }

  get texts(): string[] {
    return this.received.map(({ packet }) => packet.toString('latin1'))
  }

  /** Waits until so many packets have come. */
  untilPackets(count: number, timeoutMs = 5000): Promise<void> {
    return this.until(() => this.received.length >= count, `${count} packets`, timeoutMs)
  }

  async until(condition: () => boolean, what: string, timeoutMs = 5000): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        this.#waiters.delete(look)
        settle()
      }
      const look = (): void => void (condition() && finish(resolve))
      const seen = (): Error =>
        new Error(`waited ${timeoutMs} ms for ${what}; ${this.received.length} packets have come`)
      const timer = setTimeout(() => finish(() => reject(seen())), timeoutMs)
      this.#waiters.add(look)
    })
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

export interface UdpProxied extends AsyncDisposable {
  readonly network: Network
  readonly proxy: FaultProxy
  /** Where the proxy sends to. Silent, unless it is told to {@link UdpProxied.echo}. */
  readonly server: UdpEnd
  /** A new client; what it is asked to send goes to the proxy. */
  client(): Promise<UdpClient>
  /** The server sends back what it gets. */
  echo(): void
}

export interface UdpClient {
  readonly end: UdpEnd
  readonly send: (packet: string | Buffer) => void
}

export async function startUdp(
  faults: readonly FaultSpec[] = [],
  options: NetworkOptions = {},
  spec: Partial<ProxySpec> = {},
): Promise<UdpProxied> {
  const server = await UdpEnd.open()
  const clients: UdpEnd[] = []
  const network = new Network({ seed: 1, ...options })
  const upstream = `127.0.0.1:${server.port}`
  const proxy = await network.createProxy({ name: 'p', protocol: 'udp', upstream, faults, ...spec })
  return {
    network,
    proxy,
    server,
    async client() {
      const end = await UdpEnd.open()
      clients.push(end)
      return { end, send: (packet) => end.socket.send(packet, portOf(proxy), '127.0.0.1') }
    },
    echo() {
      server.socket.on('message', (packet, { port, address }) => server.socket.send(packet, port, address))
    },
    async [Symbol.asyncDispose]() {
      await network.close()
      await Promise.all([server, ...clients].map((end) => end.close()))
    },
  }
}

/** A running stage by itself on the fake clock, what it has passed on, and what it has put on record. */
export class IsolatedDatagramStage {
  readonly clock = new ManualClock()
  readonly stage: DatagramStage<unknown>
  readonly passed: { readonly atMs: number; readonly packet: Buffer }[] = []
  readonly acts: { readonly atMs: number; readonly action: string; readonly detail: InjectionDetail }[] = []
  readonly random: Random
  limitsReached = 0
  #numbers = 0

  constructor(
    type: string,
    attributes: Readonly<Record<string, unknown>>,
    { seed = 1, maxHeldBytes = 2 ** 24, selects = (): boolean => true } = {},
  ) {
    const definition = findFaultDefinition(type, 'udp')
    if (definition?.layer !== 'datagram') throw new Error(`no datagram fault type ${type}`)
    this.random = new Random(seed, type)
    const spec = { type, attributes }
    this.stage = definition.create(InstalledFault.fromSpec(spec, '', undefined, 'udp').attributes, {
      clock: this.clock,
      random: this.random,
      maxHeldBytes,
      direction: 'downstream',
      selects,
      record: (action, detail) => this.acts.push({ atMs: this.clock.now(), action, detail }),
      limitReached: () => this.limitsReached++,
      shared: (make) => make(),
    })
    this.stage.next = { write: (packet) => void this.passed.push({ atMs: this.clock.now(), packet }) }
  }

  /** Writes packets that hold their own numbers, which go on from call to call. */
  number(count: number, bytes = 4): void {
    for (let written = 0; written < count; written++) {
      const packet = Buffer.alloc(bytes)
      packet.writeUInt32LE(++this.#numbers)
      this.stage.write(packet)
    }
  }

  /** The numbers of packets passed on so far, in their order. */
  get numbers(): number[] {
    return this.passed.map(({ packet }) => packet.readUInt32LE())
  }

  /** What has been passed on, readable: `['12 abc', '20 def']`. */
  get log(): string[] {
    return this.passed.map(({ atMs, packet }) => `${atMs} ${packet.toString()}`)
  }

  /** The packets that an action is on record for. */
  recorded(action: string): number[] {
    return this.acts.filter((act) => act.action === action).map(({ detail }) => Number(detail['packet']))
  }
}

/** 1 to `count`. */
export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}
