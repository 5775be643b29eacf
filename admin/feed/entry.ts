// What the feed consists of: everything that happened in a network and to its server, under one sequence.
import { Type, type Static } from '@sinclair/typebox'
import type { NetworkEventType } from '../../proxy/event-log.ts'
import type { Injection, NetworkEvent } from '../../proxy/index.ts'
import type { StressorEvent, StressorEventType } from '../../resource-stressors/index.ts'
import type { ServerEvent, ServerEventType } from './server-log.ts'

/** Kept apart, so that a flood of one is not at the expense of another. */
export type FeedPart = 'injections' | 'connections' | 'reports' | 'changes'

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
  stressor_started: 'changes',
  stressor_report: 'reports',
  stressor_stopped: 'changes',
  config_reloaded: 'changes',
  config_rejected: 'changes',
  experiment_started: 'changes',
  experiment_phase: 'changes',
  experiment_step: 'changes',
  experiment_breached: 'changes',
  experiment_stopping: 'changes',
  experiment_finished: 'changes',
} as const satisfies Readonly<Record<NetworkEventType | StressorEventType | ServerEventType | 'injection', FeedPart>>

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

/** What is recorded somewhere, for the feed to have. */
export type FeedRecord = Injection | NetworkEvent | StressorEvent | ServerEvent

const figures = (description: string) => Type.Optional(Type.Record(Type.String(), Type.Number(), { description }))

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
  stressor: Type.Optional(Type.String({ description: 'The id of a stressor.' })),
  stressorType: Type.Optional(Type.String({ description: 'The type of that stressor.' })),
  requested: figures('Of a stressor: what it is after at the moment.'),
  achieved: figures('Of a stressor: what it has. When it has stopped: the last it had.'),
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
  readonly record: FeedRecord
  #json: string | undefined

  constructor(sequence: number, type: FeedType, record: FeedRecord) {
    this.sequence = sequence
    this.type = type
    this.record = record
  }

  view(): FeedEntryView {
    const { sequence, type, record } = this
    if ('stressor' in record) return viewStressorEvent(sequence, type, record)
    if (!('connection' in record || 'proxy' in record))
      return { sequence, timeMs: record.timeMs, type, detail: record.detail }
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

function viewStressorEvent(sequence: number, type: FeedType, event: StressorEvent): FeedEntryView {
  const { timeMs, stressor, name, stressorType, requested, achieved, reason, message } = event
  const end = { ...(reason !== undefined && { reason }), ...(message !== undefined && { message }) }
  return { sequence, timeMs, type, stressor, stressorType, requested, achieved, detail: { name, ...end } }
}
