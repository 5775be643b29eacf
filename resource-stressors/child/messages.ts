// What supervisor and child process tell each other. JSON: no undefined, no functions.
import type { Figures } from '../definition.ts'

/** How often the supervisor says that it is alive, and after how long a silence a child takes it for dead. */
export const HEARTBEAT_MS = 300
export const LEASE_MS = 1000

export interface StartMessage {
  readonly kind: 'start'
  readonly type: string
  readonly task: unknown
  readonly ttlMs: number
  readonly rampUpMs: number
}

export type ToChild = StartMessage | { readonly kind: 'heartbeat' } | { readonly kind: 'stop' }

/** What a load is after at the moment, and what it has. */
export interface Progress {
  readonly requested: Figures
  readonly achieved: Figures
}

/** Why a child ends its load by its own account. */
export type EndReason =
  | 'request'
  | 'expired'
  | 'done' // there is nothing left to do
  | 'floor' // the machine has less left than must stay free
  | 'died' // something failed

export interface EndedMessage extends Partial<Progress> {
  readonly kind: 'ended'
  readonly reason: EndReason
  readonly message?: string
}

export type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'started' }
  | ({ readonly kind: 'report' } & Progress)
  /** Everything that was taken has been given back by now. */
  | EndedMessage
