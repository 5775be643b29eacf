// Partitions between services: cut every link (a proxy that says which services it joins) whose ends are kept apart.
// They are made of faults, so what they do is on record like everything else, and overlapping ones need no bookkeeping: a
// link is whole when no fault of any partition is left on it.
import { Type } from '@sinclair/typebox'
import { FaultlineError } from './errors.ts'
import type { FaultSpec } from './faults/fault.ts'
import type { FaultProxy } from './proxy.ts'
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
   */
  readonly mode?: 'drop' | 'reject'
}

const side = Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })

const partitionSchema = Type.Object({
  name: Type.Optional(Type.String({ minLength: 1 })),
  groups: Type.Optional(Type.Array(side, { minItems: 2 })),
  cuts: Type.Optional(Type.Array(Type.Tuple([Type.String(), Type.String()]), { minItems: 1 })),
  oneWay: Type.Boolean({ default: false }),
  mode: Type.Union([Type.Literal('drop'), Type.Literal('reject')], { default: 'drop' }),
})

export class Partition {
  readonly name: string
  readonly mode: 'drop' | 'reject'
  /** As `from to`. */
  readonly #cuts: ReadonlySet<string>
  readonly #links = new Set<FaultProxy>()
  readonly #healed: () => void

  /**
   * @param known services that links join
   * @param healed called once
   * @throws FaultlineError naming the field, e.g. for a service that no link joins
   */
  constructor(spec: PartitionSpec, defaultName: string, known: ReadonlySet<string>, healed: () => void) {
    const valid = validate(partitionSchema, spec)
    this.name = valid.name ?? defaultName
    this.mode = valid.mode
    this.#healed = healed
    if ((valid.groups === undefined) === (valid.cuts === undefined)) {
      throw refuse('groups', 'either groups or cuts', valid.groups)
    }
    if (valid.cuts && valid.oneWay) throw refuse('oneWay', 'nothing with cuts, which say it already', true)
    for (const [index, group] of (valid.groups ?? []).entries()) checkKnown(group, `groups.${index}`, known)
    for (const [index, cut] of (valid.cuts ?? []).entries()) checkKnown(cut, `cuts.${index}`, known)
    const cuts = valid.cuts ?? between(valid.groups ?? [], valid.oneWay)
    this.#cuts = new Set(cuts.map(([from, to]) => pair(from, to)))
  }

  /** Names of the links that it cuts. */
  get links(): readonly string[] {
    return [...this.#links].map((link) => link.name)
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
      link.addFault(this.#fault('refuse'))
      for (const connection of link.connections) connection.reset()
      return
    }
    if (upstream) link.addFault({ ...this.#fault('stall', 'upstream'), direction: 'upstream' })
    if (downstream) link.addFault({ ...this.#fault('stall', 'downstream'), direction: 'downstream' })
    // A handshake needs both ways.
    link.addFault(this.#fault('hang_on_accept'))
  }

  #fault(type: string, ...more: readonly string[]): FaultSpec {
    return { type, name: [this.name, type, ...more].join(':') }
  }

  /** Ends it. Links that another partition cuts stay cut. */
  heal(): void {
    const own = (fault: string): boolean => fault.startsWith(`${this.name}:`)
    for (const link of this.#links) {
      // Those who wait come in behind what has been kept.
      for (const { name: fault } of link.faults) if (own(fault)) link.removeFault(fault)
    }
    this.#links.clear()
    this.#healed()
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
