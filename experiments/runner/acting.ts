// Steps that act. What undoes one is known before it begins, and waits for a begin that is under way: so nothing is left of
// a step that is undone in the middle.
import type { Clock } from '../../proxy/clock.ts'
import { findFaultDefinition } from '../../proxy/index.ts'
import { ONCE_TTL_MS } from '../file/actions.ts'
import type { FaultAction, LoadAction, PartitionAction, Step, StressAction } from '../file/experiment.ts'
import { rampedTo } from '../file/ramps.ts'
import { OpenLoop } from '../measure/index.ts'
import { createProbe, type Probe } from '../probes/index.ts'
import type { Holding } from './target.ts'

/** One step, as it acts. */
export interface Acting {
  begin(): Promise<void>
  /** Sets it to this share of its intensity, 0 to 1. Undefined: it can't grow, or sees to it by itself. */
  readonly grow?: (share: number) => Promise<void>
  /** How often its fault has acted; undefined: nobody counts that, or it is gone. */
  injections(): Promise<number | undefined>
  end(): Promise<void>
}

/**
 * Ends by itself so long after it should have been ended: what holds it may be lost, and so may be who ends it. Never
 * shorter than a step of a busy machine is late.
 */
const GRACE_MS = 30_000

/** @param name unique on the target */
export function actingOf(step: Step, name: string, holding: Holding, clock: Clock): Acting {
  const { action } = step
  const forMs = step.untilMs - step.fromMs
  switch (action.kind) {
    case 'fault':
      return faultActing(action, step, name, holding)
    case 'partition':
      return partitionActing(action, Math.ceil(forMs + GRACE_MS), name, holding)
    case 'stress':
      return stressActing(action, step, name, holding)
    default:
      return loadActing(action, name, clock)
  }
}

function faultActing(action: FaultAction, step: Step, name: string, holding: Holding): Acting {
  const { proxy, spec } = action
  const ttlMs = Math.ceil(step.untilMs - step.fromMs + GRACE_MS)
  const definition = findFaultDefinition(spec.type) ?? findFaultDefinition(spec.type, 'udp')
  const at = (share: number) => rampedTo(action, definition, share)
  const begin = async (): Promise<void> => {
    const start = step.rampMs > 0 ? at(0) : {}
    const attributes = { ...spec.attributes, ...start.attributes }
    await holding.addFault(proxy, { ...spec, ...start, attributes, name, ttlMs })
  }
  const grow = (share: number): Promise<void> => holding.changeFault(proxy, name, at(share))
  return {
    begin,
    ...(step.rampMs > 0 && { grow }),
    injections: () => holding.injections({ proxy, fault: name }),
    end: () => holding.removeFault(proxy, name),
  }
}

function partitionActing({ spec }: PartitionAction, ttlMs: number, name: string, holding: Holding): Acting {
  return {
    begin: () => holding.addPartition({ ...spec, name, ttlMs }),
    injections: async () => undefined,
    end: () => holding.healPartition(name),
  }
}

/** Stressors may last 15 minutes: there is no room for grace. They end by themselves when their time is over. */
function stressActing({ type, attributes, isOnce }: StressAction, step: Step, name: string, holding: Holding): Acting {
  const ttlMs = isOnce ? ONCE_TTL_MS : Math.ceil(step.untilMs - step.fromMs)
  return {
    begin: () => holding.startStressor({ type, attributes, name, ttlMs, rampUpMs: step.rampMs }),
    injections: async () => undefined,
    end: () => holding.stopStressor(name),
  }
}

function loadActing({ probe: spec, perSecond, maxOutstanding }: LoadAction, name: string, clock: Clock): Acting {
  let probe: Probe | undefined
  let loop: OpenLoop | undefined
  return {
    async begin() {
      probe = createProbe({ ...spec, name }, clock)
      loop = new OpenLoop({
        probe,
        ratePerSecond: perSecond,
        maxOutstanding,
        clock,
        phase: () => 'stress',
        onAttempt: () => undefined, // it is load, nobody counts it
      })
      loop.start()
    },
    injections: async () => undefined,
    async end() {
      await loop?.stop()
      await probe?.close()
    },
  }
}
