// What became of stressors: a bounded record of the latest events, with subscribers.
import { RecordLog, type Recorded } from '../proxy/record-log.ts'
import type { Figures } from './definition.ts'

/** Why a stressor may be gone. */
export const stressorEnds = [
  'request',
  'expired', // its time to live is up
  'lease', // the lease that held it has ended
  'done', // it had something to do once, and has done it
  'reset', // everything was put back
  'stop', // the emergency stop
  'floor', // the machine had less left than must stay free
  'died', // its process ended by itself, or failed
] as const

export type StressorEnd = (typeof stressorEnds)[number]

export type StressorEventType = 'stressor_started' | 'stressor_report' | 'stressor_stopped'

export interface StressorEvent extends Recorded {
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly type: StressorEventType
  readonly stressor: string
  readonly name: string
  readonly stressorType: string
  /** What it is after at the moment: less than in the end while it ramps up. */
  readonly requested: Figures
  /** What it has, as measured. Empty at the start. When it has stopped: the last it had. */
  readonly achieved: Figures
  /** Why it has stopped. */
  readonly reason?: StressorEnd
  /** More about that, in words. */
  readonly message?: string
}

export interface StressorEventFilter {
  /** The id of one stressor. */
  readonly stressor?: string | undefined
  /** Only events with a sequence above this one. */
  readonly since?: number | undefined
  /** At most this many, the latest ones. */
  readonly limit?: number | undefined
}

export class StressorLog extends RecordLog<StressorEvent> {
  /** Kept events that pass the filter, oldest first. */
  entries({ stressor, since, limit }: StressorEventFilter = {}): StressorEvent[] {
    return this.select((entry) => stressor === undefined || entry.stressor === stressor, since, limit)
  }
}
