// Partitions between services: cut every link (a proxy that says which services it joins) whose ends are kept apart.
// They are made of faults, so what they do is on record like everything else, and overlapping ones need no bookkeeping: a
// link is whole when no fault of any partition is left on it.
import { Type } from '@sinclair/typebox'
import type { Clock, TimerHandle } from './clock.ts'
import { FaultlineError } from './errors.ts'
import type { RemovalReason } from './event-log.ts'
import type { Direction, FaultSpec } from './faults/fault.ts'
import { InstalledFault } from './installed-fault.ts'
import type { FaultProxy } from './proxy.ts'
import { MAX_TTL_MS, type Safety } from './safety.ts'
import { describeValue, validate } from './validate.ts'

/** One service can't be heard by another. */
export type Cut = readonly [from: string, to: string]

export interface PartitionSpec {
  /** Unique among those that have not been healed. Default `partition-<n>`. */
  readonly name?: string
  /** Services, by the side they are on: no side hears another. Services on no side are not concerned. */
  readonly groups?: readonly (readonly string[])[]
  /** Instead of groups: who can't be heard by whom, as {@link shapes} make it. */
  readonly cuts?: readonly Cut[]
  /** With groups: only what the first side says is not heard by the others. Default false. */
  readonly oneWay?: boolean
  /**
   * `drop` (default): as if a cable were cut. Nothing passes and nobody is told; what is on its way is kept, bounded by
   * backpressure, and arrives after healing. New connections hang and go through then. `reject`: as a firewall that
   * rejects. Live connections get RST, new ones are refused.
   *
   * Over UDP packets really are lost in both modes. `drop`: those of the directions that are cut; they do not arrive after
   * healing either. `reject`: those of both; clients hear of it by ICMP "port unreachable", as the listening socket is
   * closed. Should somebody else take its port meanwhile, the proxy is disabled after healing, and says why.
   */
  readonly mode?: 'drop' | 'reject'
  /** It heals by itself after so many milliseconds. */
  readonly ttlMs?: number
  /** The id of a lease: it heals when that ends. */
  readonly lease?: string
}

const side = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })

export const partitionSpecSchema = Type.Object({
  name: Type.Optional(
    Type.String({ minLength: 1, description: 'Unique among those not healed; default partition-<n>.' }),
  ),
  groups: Type.Optional(Type.Array(side, { minItems: 2, description: 'Services, by the side they are on.' })),
  cuts: Type.Optional(
    Type.Array(Type.Tuple([Type.String(), Type.String()]), {
      minItems: 1,
      description: 'Instead of groups: pairs of services; what the first says, the second does not hear.',
    }),
  ),
  oneWay: Type.Boolean({
    default: false,
    description: 'With groups: only what the first side says is not heard by the others.',
  }),
  mode: Type.Union([Type.Literal('drop'), Type.Literal('reject')], {
    default: 'drop',
    description: 'As if a cable were cut, or as a firewall that rejects.',
  }),
  ttlMs: Type.Optional(
    Type.Integer({ minimum: 1, maximum: MAX_TTL_MS, description: 'Heals by itself after so many milliseconds.' }),
  ),
  lease: Type.Optional(Type.String({ minLength: 1, description: 'The id of a lease; heals when that ends.' })),
})

/** What a partition needs from its network. */
export interface PartitionHost {
  readonly clock: Clock
  readonly safety: Safety
  healed(partition: Partition, reason: RemovalReason): void
}

export class Partition {
  readonly name: string
  readonly mode: 'drop' | 'reject'
  /** As `from to`. */
  readonly #cuts: ReadonlySet<string>
  readonly #links = new Set<FaultProxy>()
  readonly #host: PartitionHost
  /** How long it lasts, in milliseconds; undefined = until it is healed. */
  readonly ttlMs: number | undefined
  /** The lease that it ends with. */
  readonly lease: string | undefined
  #expiry: TimerHandle
  #expiresMs: number | undefined
  #letGo: (() => void) | undefined
  #over = false

  /**
   * @param known services that links join
   * @throws FaultlineError naming the field, e.g. for a service that no link joins
   */
  constructor(spec: PartitionSpec, defaultName: string, known: ReadonlySet<string>, host: PartitionHost) {
    const valid = validate(partitionSpecSchema, spec)
    this.name = valid.name ?? defaultName
    this.mode = valid.mode
    this.lease = valid.lease
    this.#host = host
    this.ttlMs = host.safety.timeToLive(valid.ttlMs)
    if (valid.lease !== undefined) host.safety.leases.require(valid.lease)
    if ((valid.groups === undefined) === (valid.cuts === undefined)) {
      throw refuse('groups', 'either groups or cuts', valid.groups)
    }
    if (valid.cuts && valid.oneWay) throw refuse('oneWay', 'nothing with cuts, which say it already', true)
    for (const [index, group] of (valid.groups ?? []).entries()) checkKnown(group, `groups.${index}`, known)
    for (const [index, cut] of (valid.cuts ?? []).entries()) checkKnown(cut, `cuts.${index}`, known)
    const cuts = valid.cuts ?? between(valid.groups ?? [], valid.oneWay)
    this.#cuts = new Set(cuts.map(([from, to]) => pair(from, to)))
  }

  /** When it heals by itself, on the network's clock; undefined = not by itself. */
  get expiresMs(): number | undefined {
    return this.#expiresMs
  }

  /** Names of the links that it cuts. */
  get links(): readonly string[] {
    return [...this.#links].map((link) => link.name)
  }

  /** Who is not heard by whom. */
  get cuts(): readonly Cut[] {
    return [...this.#cuts].map((cut) => JSON.parse(cut) as Cut)
  }

  /** From now on its time runs. To be called once. */
  begin(): void {
    const { ttlMs, lease } = this
    const { clock, safety } = this.#host
    if (ttlMs !== undefined) {
      this.#expiresMs = clock.now() + ttlMs
      this.#expiry = clock.setTimer(() => this.heal('expired'), ttlMs)
    }
    if (lease !== undefined) this.#letGo = safety.leases.require(lease).hold(() => this.heal('lease'))
  }

  /** Cuts a link if its ends are kept apart. */
  apply(link: FaultProxy): void {
    const { from, to } = link
    if (from === undefined || to === undefined) return
    const upstream = this.#cuts.has(pair(from, to))
    const downstream = this.#cuts.has(pair(to, from))
    if (!upstream && !downstream) return
    this.#links.add(link)
    if (this.mode === 'reject') {
      this.#install(link, 'refuse')
      if (link.transport === 'tcp') for (const connection of link.connections) connection.reset()
      return
    }
    const cut = link.transport === 'udp' ? 'drop' : 'stall'
    if (upstream) this.#install(link, cut, 'upstream')
    if (downstream) this.#install(link, cut, 'downstream')
    // A handshake needs both ways.
    if (link.transport === 'tcp') this.#install(link, 'hang_on_accept')
  }

  #install(link: FaultProxy, type: string, direction?: Direction): void {
    const name = [this.name, type, direction ?? []].flat().join(':')
    const spec: FaultSpec = { type, name, ...(direction && { direction }) }
    link.installPart(InstalledFault.fromSpec(spec, '', undefined, link.transport))
  }

  /** Ends it. Links that another partition cuts stay cut. */
  heal(reason: RemovalReason = 'request'): void {
    if (this.#over) return
    this.#over = true
    this.#host.clock.clearTimer(this.#expiry)
    this.#letGo?.()
    const own = (fault: string): boolean => fault.startsWith(`${this.name}:`)
    for (const link of this.#links) {
      // Those who wait come in behind what has been kept.
      for (const { name: fault } of link.faults) if (own(fault)) link.removeFault(fault, reason)
    }
    this.#links.clear()
    this.#host.healed(this, reason)
  }
}

function between(groups: readonly (readonly string[])[], oneWay: boolean): Cut[] {
  return groups.flatMap((side, index) =>
    groups.flatMap((other, otherIndex) => {
      if (index === otherIndex || (oneWay && index !== 0)) return []
      return side.flatMap((from) => other.map((to): Cut => [from, to]))
    }),
  )
}

function pair(from: string, to: string): string {
  return JSON.stringify([from, to])
}

function checkKnown(services: readonly string[], field: string, known: ReadonlySet<string>): void {
  for (const [index, service] of services.entries()) {
    if (known.has(service)) continue
    const names = known.size > 0 ? `one of ${[...known].join(', ')}` : 'a service that a proxy names as from or to'
    throw refuse(`${field}.${index}`, names, service)
  }
}

function refuse(field: string, expected: string, value: unknown): FaultlineError {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}`
  return new FaultlineError('invalid_value', message, { field, expected })
}

/** The usual shapes of partitions (names: Jepsen's nemeses), as what {@link PartitionSpec} takes. */
export const shapes = {
  /** One node is kept apart from all others. */
  isolate(node: string, nodes: readonly string[]): PartitionSpec {
    return { groups: [[node], nodes.filter((other) => other !== node)] }
  },

  /** The smaller half, rounded down, and the rest. */
  halves(nodes: readonly string[]): PartitionSpec {
    const middle = Math.floor(nodes.length / 2)
    return { groups: [nodes.slice(0, middle), nodes.slice(middle)] }
  },

  /** Two halves that hear each other only through the node in the middle, which hears all. */
  bridge(nodes: readonly string[]): PartitionSpec {
    const middle = Math.floor(nodes.length / 2)
    return { groups: [nodes.slice(0, middle), nodes.slice(middle + 1)] }
  },

  /** Every node hears a majority, no two the same one: those next to it on a ring. Needs at least 5 nodes to cut any. */
  majoritiesRing(nodes: readonly string[]): PartitionSpec {
    const count = nodes.length
    const reach = Math.ceil(Math.floor(count / 2) / 2)
    const cuts = nodes.flatMap((from, index) =>
      nodes.flatMap((to, other): Cut[] => {
        const distance = Math.abs(index - other)
        return Math.min(distance, count - distance) > reach ? [[from, to]] : []
      }),
    )
    return { cuts }
  },
} as const
