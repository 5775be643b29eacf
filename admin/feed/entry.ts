// What the feed consists of: everything that happened in a network, under one sequence.
import { Type, type Static } from '@sinclair/typebox'
import type { NetworkEventType } from '../../proxy/event-log.ts'
import type { Injection, NetworkEvent } from '../../proxy/index.ts'

/** Kept apart, so that a flood of one is not at the expense of another. */
export type FeedPart = 'injections' | 'connections' | 'changes'

const partOf = {
  injection: 'injections',
  connection_opened: 'connections',
  connection_closed: 'connections',
  proxy_created: 'changes',
  proxy_changed: 'changes',
  proxy_removed: 'changes',
  fault_added: 'changes',
  fault_changed: 'changes',
  fault_removed: 'changes',
  partition_created: 'changes',
  partition_healed: 'changes',
  lease_created: 'changes',
  lease_ended: 'changes',
  stopped: 'changes',
  resumed: 'changes',
  opaque: 'changes',
  fault_not_applied: 'changes',
} as const satisfies Readonly<Record<NetworkEventType | 'injection', FeedPart>>

export type FeedType = keyof typeof partOf

export const feedTypes = Object.keys(partOf) as FeedType[]

export function isFeedType(text: string): text is FeedType {
  return Object.hasOwn(partOf, text)
}

export function feedPartOf(type: FeedType): FeedPart {
  return partOf[type]
}

/** What readers get that name no types. Connections must be asked for: there can be thousands a second. */
export const defaultFeedTypes: ReadonlySet<FeedType> = new Set(
  feedTypes.filter((type) => feedPartOf(type) !== 'connections'),
)

export const feedEntrySchema = Type.Object({
  sequence: Type.Integer({ description: 'Counts up through all types; those of types not asked for are left out.' }),
  timeMs: Type.Number({ description: 'Milliseconds since the Unix epoch.' }),
  type: Type.Union([...feedTypes, 'gap', 'end'].map((type) => Type.Literal(type))),
  proxy: Type.Optional(Type.String({ description: 'Left out where it concerns the whole network.' })),
  connection: Type.Optional(Type.Integer({ description: 'Its number on its proxy.' })),
  direction: Type.Optional(Type.String({ description: 'Of an injection: of the bytes that it acted on.' })),
  fault: Type.Optional(Type.String({ description: "Of an injection: the fault's name." })),
  faultType: Type.Optional(Type.String({ description: "Of an injection: the fault's type." })),
  action: Type.Optional(Type.String({ description: 'Of an injection: what was done.' })),
  detail: Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()]), {
    description: 'What belongs to the type.',
  }),
})

export type FeedEntryView = Static<typeof feedEntrySchema>

/** What streams say beside entries: what of them is missing, and why they end. */
export type FeedNotice = 'gap' | 'end'

/** An entry as the feed keeps it: what was recorded, and its place in the one sequence. */
export class FeedEntry {
  readonly sequence: number
  readonly type: FeedType
  readonly record: Injection | NetworkEvent
  #json: string | undefined

  constructor(sequence: number, type: FeedType, record: Injection | NetworkEvent) {
    this.sequence = sequence
    this.type = type
    this.record = record
  }

  view(): FeedEntryView {
    const { sequence, type, record } = this
    const { timeMs, proxy, connection, detail } = record
    const where = { ...(proxy !== undefined && { proxy }), ...(connection !== undefined && { connection }) }
    if (!('fault' in record)) return { sequence, timeMs, type, ...where, detail }
    const { direction, fault, type: faultType, action } = record
    return { sequence, timeMs, type, ...where, direction, fault, faultType, action, detail }
  }

  /** Made once, however many read it. */
  get json(): string {
    return (this.#json ??= JSON.stringify(this.view()))
  }
}
