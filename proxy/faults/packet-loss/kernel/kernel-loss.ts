// packet_loss with engine kernel: the system's own packet filter loses packets between the clients and their proxy.
import { randomInt } from 'node:crypto'
import { platform } from 'node:process'
import type { Direction, Installation, InstallationFields, InstallationHost } from '../../fault.ts'
import { invalidField } from '../../fault.ts'
import { DEFAULT_LINK, lossesOf, type Losses, type PacketLossAttributes } from '../attributes.ts'
import { applyAtEnd, applyRules, checkRules, readCounters, withoutTable } from './nft.ts'
import { lossTable } from './ruleset.ts'
import { newTableName, removeLeftTables } from './tables.ts'

/** Any table will do to find out whether there can be one. */
const SAMPLE = { listen: { host: '127.0.0.1', port: 1 }, upstreamLoss: 0.5, downstreamLoss: 0.5, mark: 1 }

/** What a real network decides by itself must not look as if it had been set. */
const UNSET = {
  burst: DEFAULT_LINK.burst,
  rtt: undefined,
  mss: DEFAULT_LINK.mssBytes,
  rtoMin: DEFAULT_LINK.rtoMinMs,
  congestion: DEFAULT_LINK.congestion,
} as const

/** @throws FaultlineError naming an attribute that rules of the packet filter can't honour */
function refuseUnfit(attributes: PacketLossAttributes, chooses: boolean, field: (name: string) => string): void {
  for (const [name, unset] of Object.entries(UNSET)) {
    const value = attributes[name as keyof typeof UNSET]
    if (value === unset) continue
    throw invalidField(field(name), 'nothing, as the kernel engine loses packets and leaves the rest to them', value)
  }
  if (!chooses) return
  const expected = '"simulation" where the fault is for some connections only: the kernel engine takes all of a proxy'
  throw invalidField(field('engine'), expected, attributes.engine)
}

let worked = false

/**
 * Also tries it out, until it has worked once: that costs as much as setting the rules.
 *
 * @param chooses the fault is for some connections only
 * @param field the full name of an attribute, for messages
 * @throws FaultlineError naming an attribute; `engine` if this machine, or what it permits us, can't do it
 */
export function checkKernelLoss(
  attributes: PacketLossAttributes,
  chooses: boolean,
  field: (name: string) => string,
): void {
  refuseUnfit(attributes, chooses, field)
  if (worked) return
  refusing(field('engine'), () => {
    if (platform !== 'linux') throw new Error('needs Linux')
    checkRules(lossTable('faultline_check', SAMPLE))
    worked = true
  })
}

interface Table {
  readonly name: string
  /** Calls off that it is removed when this process ends. */
  readonly callOff: () => void
}

/** One table of rules while there is something to lose. */
export class KernelLoss implements Installation<PacketLossAttributes> {
  readonly #host: InstallationHost
  #losses: Losses = { upstreamLoss: 0, downstreamLoss: 0 }
  #table: Table | undefined

  /** @throws FaultlineError if rules can't be set; then there are none */
  constructor(fields: InstallationFields<PacketLossAttributes>, host: InstallationHost) {
    this.#host = host
    this.update(fields)
  }

  update({ attributes, direction, probability }: InstallationFields<PacketLossAttributes>): void {
    const ours = attributes.engine === 'kernel'
    // Checked already, but for what comes through Toxiproxy's API, where numbers may be anything.
    if (ours) refuseUnfit(attributes, probability < 1, (name) => `attributes.${name}`)
    const losses = lossesOf(ours ? attributes.loss : 0, direction)
    const { upstreamLoss, downstreamLoss } = losses
    if (upstreamLoss === this.#losses.upstreamLoss && downstreamLoss === this.#losses.downstreamLoss) return
    const previous = this.#table
    // The new rules come first: if there can be none, the present ones stay.
    this.#table =
      upstreamLoss > 0 || downstreamLoss > 0 ? refusing('attributes.engine', () => this.#begin(losses)) : undefined
    this.#losses = losses
    if (previous) this.#end(previous)
  }

  remove(): void {
    if (this.#table) this.#end(this.#table)
    this.#table = undefined
  }

  #begin(losses: Losses): Table {
    removeLeftTables()
    const name = newTableName()
    // Before the table is there: between the two this process could be killed.
    const callOff = applyAtEnd(withoutTable(name), (error) => this.#host.failed(error))
    try {
      applyRules(lossTable(name, { ...losses, listen: this.#host.listen, mark: randomInt(1, 2 ** 32) }))
    } catch (error) {
      callOff()
      throw error
    }
    const record = (direction: Direction, loss: number): void => {
      if (loss > 0) this.#host.record(direction, 'install_rules', { loss, table: name })
    }
    record('upstream', losses.upstreamLoss)
    record('downstream', losses.downstreamLoss)
    return { name, callOff }
  }

  /** Puts on record what a table has counted, and removes it. */
  #end({ name, callOff }: Table): void {
    this.#trying(() => {
      const counters = readCounters(name)
      for (const direction of ['upstream', 'downstream'] as const) {
        const { packets, bytes } = counters.get(direction) ?? { packets: 0, bytes: 0 }
        if (packets > 0) this.#host.record(direction, 'lose_packets', { packets, bytes })
      }
    })
    // Where this fails, it is removed when this process ends.
    this.#trying(() => {
      applyRules(withoutTable(name))
      callOff()
    })
  }

  #trying(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.#host.failed(error as Error)
    }
  }
}

/** Turns what {@link applyRules} says into the error of a field. */
function refusing<Result>(field: string, attempt: () => Result): Result {
  try {
    return attempt()
  } catch (error) {
    throw invalidField(field, `"simulation", as the kernel engine ${(error as Error).message}`, 'kernel')
  }
}
