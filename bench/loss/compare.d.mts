// Types for the tests that use the comparison.
import type { LinkAttributes } from '../../proxy/faults/packet-loss/attributes.ts'
import type { handshakeDelayMs } from '../../proxy/faults/packet-loss/handshake.ts'
import type { LossyLink } from '../../proxy/faults/packet-loss/link.ts'
import type { Random } from '../../proxy/random.ts'
import type { Cell } from './measured.mjs'

export interface Model {
  readonly LossyLink: typeof LossyLink
  readonly Random: typeof Random
  readonly handshakeDelayMs: typeof handshakeDelayMs
  readonly DEFAULT_LINK: LinkAttributes
}

export function compareTimes(
  model: Model,
  workload: 'pingpong' | 'resp100k' | 'connect',
  cell: Cell,
  runs: number,
): { simulated: number[]; measured: number[]; distance: number }

export function compareBulk(
  model: Model,
  cell: Cell,
  runs: number,
): { simulated: number; measured: number; ratio: number }
