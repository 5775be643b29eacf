// Steps that act. What undoes one is known before it begins, and waits for a begin that is under way: so nothing is left of
// a step that is undone in the middle.
import type { Clock } from '../../proxy/clock.ts'
import { findFaultDefinition } from '../../proxy/index.ts'
import { ONCE_TTL_MS } from '../file/actions.ts'
import type { FaultAction, LoadAction, PartitionAction, Step, StressAction } from '../file/experiment.ts'
import { rampedTo } from '../file/ramps.ts'
import { OpenLoop } from '../measure/index.ts'
import { createProbe, type Probe } from '../probes/index.ts'
import type { Held, Holding, StressorFigures } from './target.ts'

/** One step, as it acts. */
export interface Acting {
  begin(): Promise<void>
  /** Sets it to this share of its intensity, 0 to 1. Undefined: it can't grow, or sees to it by itself. */
  readonly grow?: (share: number) => Promise<void>
  /** How often its fault has acted; undefined: nobody counts that, or it is gone. */
  injections(): Promise<number | undefined>
  /** What its stressor reached, once it has ended. Left out: it is none. */
  readonly figures?: () => Promise<StressorFigures | undefined>
  /** Whether it still acts. Left out: it can't be left acting. */
  readonly isThere?: () => Promise<boolean>
  /** @returns false: it had ended before; why, its figures say, if it has some */
  end(): Promise<boolean>
}

/**
 * Ends by itself so long after it should have been ended: what holds it may be lost, and so may be who ends it. Never
 * shorter than a step of a busy machine is late.
 */
const GRACE_MS = 30_000

/** So long a step acts on its target, if nobody ends it. */
export function timeToLiveMs({ fromMs, untilMs }: Step, keepForMs: number | undefined): number {
  return Math.ceil(untilMs - fromMs + (keepForMs ?? GRACE_MS))
}

/**
 * @param name unique on the target
 * @param keepForMs so long it may stay when the run is over; undefined: it ends with the run
 */
export function actingOf(
  step: Step,
  name: string,
  {
    holding,
    clock,
    keepForMs,
  }: { readonly holding: Holding; readonly clock: Clock; readonly keepForMs: number | undefined },
): Acting {
  const { action } = step
  const held = { name, ttlMs: timeToLiveMs(step, keepForMs), isHeld: keepForMs === undefined }
  switch (action.kind) {
    case 'fault':
      return faultActing(action, step, held, holding)
    case 'partition':
      return partitionActing(action, held, holding)
    case 'stress':
      return stressActing(action, step, name, holding)
    default:
      return loadActing(action, name, clock)
  }
}

interface HeldFor extends Held {
  readonly ttlMs: number
}

function faultActing(action: FaultAction, step: Step, held: HeldFor, holding: Holding): Acting {
  const { proxy, spec } = action
  const { name } = held
  const definition = findFaultDefinition(spec.type) ?? findFaultDefinition(spec.type, 'udp')
  const at = (share: number) => rampedTo(action, definition, share)
  const begin = async (): Promise<void> => {
    const start = step.rampMs > 0 ? at(0) : {}
    const attributes = { ...spec.attributes, ...start.attributes }
    await holding.addFault(proxy, { ...spec, ...start, attributes, ...held })
  }
  const grow = (share: number): Promise<void> => holding.changeFault(proxy, name, at(share))
  return {
    begin,
    ...(step.rampMs > 0 && { grow }),
    injections: () => holding.injections({ proxy, fault: name }),
    isThere: async () => (await holding.injections({ proxy, fault: name })) !== undefined,
    end: () => holding.removeFault(proxy, name),
  }
}

function partitionActing({ spec }: PartitionAction, held: HeldFor, holding: Holding): Acting {
  const { name } = held
  return {
    begin: () => holding.addPartition({ ...spec, ...held }),
    injections: async () => undefined,
    isThere: () => holding.hasPartition(name),
    end: () => holding.healPartition(name),
  }
}

/** Stressors may last 15 minutes: there is no room for grace. They end by themselves when their time is over. */
function stressActing({ type, attributes, isOnce }: StressAction, step: Step, name: string, holding: Holding): Acting {
  const ttlMs = isOnce ? ONCE_TTL_MS : Math.ceil(step.untilMs - step.fromMs)
  return {
    begin: () => holding.startStressor({ type, attributes, name, ttlMs, rampUpMs: step.rampMs }),
    injections: async () => undefined,
    figures: () => holding.stressorFigures(name),
    end: () => holding.stopStressor(name),
  }
}

function loadActing({ probe: spec, perSecond, ramp, maxOutstanding }: LoadAction, name: string, clock: Clock): Acting {
  let probe: Probe | undefined
  let loop: OpenLoop | undefined
  return {
    async begin() {
      probe = createProbe({ ...spec, name }, clock)
      loop = new OpenLoop({
        probe,
        ratePerSecond: perSecond,
        ramp,
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
      return true
    },
  }
}
