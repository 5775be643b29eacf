// A lossy link in virtual time whose losses are written down beforehand, and what becomes of it.
import { DEFAULT_LINK, type LinkAttributes } from '../../../../proxy/faults/packet-loss/attributes.ts'
import { LossyLink } from '../../../../proxy/faults/packet-loss/link.ts'
import type { Draws, LostPacket } from '../../../../proxy/faults/packet-loss/lossy-stream.ts'
import { VirtualClock } from '../../../../bench/loss/virtual-clock.mjs'

type Way = 'upstream' | 'downstream'

/** Packets to lose, each as `<data|ack> <offset> <transmission>`, e.g. `data 1448 1`. */
export interface Script {
  readonly upstream?: readonly string[]
  readonly downstream?: readonly string[]
}

export class SimulatedLink {
  readonly clock = new VirtualClock()
  /** `<ms> <way> <bytes|end>` */
  readonly log: string[] = []
  /** Every packet sent, `<ms> <way> <data|ack> <offset> <transmission>`. */
  readonly packets: string[] = []
  readonly lost: LostPacket[] = []
  readonly delivered = { upstream: 0, downstream: 0 }
  /** Called after each delivery. */
  onDeliver: (way: Way, bytes: number) => void = () => {}
  readonly link: LossyLink

  /** @param lateMs by how much every timer is late */
  constructor(script: Script, attributes: Partial<LinkAttributes> = {}, lateMs = 0) {
    const { clock } = this
    this.link = new LossyLink({
      clock: {
        now: () => clock.now(),
        wallTimeMs: () => clock.wallTimeMs(),
        setTimer: (callback, delayMs) => clock.setTimer(callback, delayMs + lateMs),
        clearTimer: (timer) => clock.clearTimer(timer),
      },
      // A loss of one half, so that the numbers of the script decide.
      attributes: { ...DEFAULT_LINK, upstreamLoss: 0.5, downstreamLoss: 0.5, ...attributes },
      random: {
        upstream: this.#draws('upstream', script.upstream ?? []),
        downstream: this.#draws('downstream', script.downstream ?? []),
      },
      events: { upstream: this.#events('upstream'), downstream: this.#events('downstream') },
    })
  }

  /** Runs until nothing more happens, or until `limitMs`. */
  run(limitMs = Infinity): void {
    this.clock.run(() => true, limitMs)
  }

  #draws(way: Way, losses: readonly string[]): Draws {
    return {
      at: (position) => {
        const acknowledgement = position >= 2 ** 52
        const local = acknowledgement ? position - 2 ** 52 : position
        const packet = `${acknowledgement ? 'ack' : 'data'} ${Math.floor(local / 4096)} ${local % 4096}`
        this.packets.push(`${this.clock.now()} ${way} ${packet}`)
        return losses.includes(packet) ? 0 : 0.9
      },
    }
  }

  #events(way: Way) {
    return {
      deliver: (bytes: number) => {
        this.log.push(`${this.clock.now()} ${way} ${bytes}`)
        this.delivered[way] += bytes
        this.onDeliver(way, bytes)
      },
      end: () => void this.log.push(`${this.clock.now()} ${way} end`),
      lost: (packet: LostPacket) => void this.lost.push(packet),
    }
  }
}
