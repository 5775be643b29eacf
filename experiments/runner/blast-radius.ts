// How many of a target's proxies an experiment touches: all in all, whether at the same time or one after another.
import { FaultlineError } from '../../proxy/errors.ts'
import { checkPartition } from '../file/actions.ts'
import type { PartitionAction, SafetyLimits, Step } from '../file/experiment.ts'
import { formatShare } from '../file/units.ts'
import type { KnownProxy } from './target.ts'

type Limits = Pick<SafetyLimits, 'blastRadius' | 'blastRadiusByType'>

/** Rounding must not refuse 3 of 10 at 30 %. */
const TOLERANCE = 1e-9

export class BlastRadius {
  readonly #limits: Limits
  readonly #touched = new Set<string>()
  readonly #touchedByType = new Map<string, Set<string>>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Names of proxies that have been touched so far. */
  get touched(): readonly string[] {
    return [...this.#touched]
  }

  /**
   * To be asked before a step acts; what it touches counts from then on.
   *
   * @param known the target's proxies as they are now
   * @returns names of the proxies that it touches
   * @throws FaultlineError `limit_reached` naming the step's field; then nothing is counted
   */
  touch({ action, path }: Step, known: readonly KnownProxy[]): readonly string[] {
    if (action.kind !== 'fault' && action.kind !== 'partition') return []
    const isFault = action.kind === 'fault'
    const proxies = isFault ? [action.proxy] : cutLinks(action, known)
    const type = isFault ? action.spec.type : 'partition'
    const { blastRadius, blastRadiusByType } = this.#limits
    const ofType = this.#touchedByType.get(type) ?? new Set<string>()
    const all = new Set([...this.#touched, ...proxies])
    const same = new Set([...ofType, ...proxies])
    const field = isFault ? `${path}.fault.proxy` : `${path}.partition`
    check(all.size, known.length, blastRadius, field, 'safety.blastRadius')
    const limit = blastRadiusByType[type]
    if (limit !== undefined) check(same.size, known.length, limit, field, `safety.blastRadiusByType.${type}`)
    for (const proxy of proxies) this.#touched.add(proxy)
    this.#touchedByType.set(type, same)
    return proxies
  }
}

function check(touched: number, known: number, limit: number, field: string, limitField: string): void {
  const share = known === 0 ? 1 : touched / known
  if (share <= limit + TOLERANCE) return
  const expected = `steps that touch at most ${formatShare(limit)} of the proxies, ${limitField}`
  const message = `${field}: expected ${expected}, got ${touched} of ${known} (${formatShare(share)})`
  throw new FaultlineError('limit_reached', message, { field, expected })
}

/** Services that a target's proxies join. */
export function servicesOf(known: readonly KnownProxy[]): ReadonlySet<string> {
  return new Set(known.flatMap(({ from, to }) => [from ?? [], to ?? []].flat()))
}

/** Names of the proxies that a partition cuts. @throws FaultlineError naming a service that there is not */
export function cutLinks({ spec }: PartitionAction, known: readonly KnownProxy[]): string[] {
  const { cuts } = checkPartition(spec, servicesOf(known))
  const isCut = (from: string, to: string): boolean => cuts.some((cut) => cut[0] === from && cut[1] === to)
  return known.flatMap(({ name, from, to }) =>
    from !== undefined && to !== undefined && (isCut(from, to) || isCut(to, from)) ? [name] : [],
  )
}
