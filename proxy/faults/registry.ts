// The one list of faults. A new fault is its file and a line here.
import { bandwidth } from './bandwidth.ts'
import type { FaultDefinition } from './fault.ts'
import { latency } from './latency.ts'
import { limitData } from './limit-data.ts'
import { noop } from './noop.ts'
import { resetPeer } from './reset-peer.ts'
import { slicer } from './slicer.ts'
import { slowClose } from './slow-close.ts'
import { timeout } from './timeout.ts'

export const faults = { latency, bandwidth, slowClose, timeout, resetPeer, slicer, limitData, noop }

const byType = new Map<string, FaultDefinition>(
  Object.values(faults).map((fault) => [fault.type, fault as FaultDefinition]),
)

/** The definition of a fault type, if there is one. */
export function findFaultDefinition(type: string): FaultDefinition | undefined {
  return byType.get(type)
}

export function faultTypes(): string[] {
  return [...byType.keys()]
}
