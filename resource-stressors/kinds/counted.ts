// What stressors have in common that take a number of things until few are left: open files, processes.
import { invalidAttribute, refusal, type Figures, type Plan, type PlanContext } from '../definition.ts'
import { keptFree, spareOf, tightestOf, type Supply } from '../machine/supply.ts'

export interface CountedAttributes {
  readonly count?: number
  readonly leaveFree?: number
}

export interface CountedTask {
  /** null = whatever leaves `leaveFree` free. */
  readonly count: number | null
  /** Never less than what has to stay free anyway; 0 where a count is asked for. */
  readonly leaveFree: number
  /** No more than these, whatever becomes free. */
  readonly most: number
}

export interface CountedPlan extends Required<Pick<Plan, 'giveBackShare'>> {
  readonly requested: Figures
  readonly notes: readonly string[]
  readonly task: CountedTask
}

/** How many can be held at most for another reason than that few are left, and that reason. */
export interface Most {
  readonly count: number
  readonly because: string
}

/**
 * More than are free at the beginning may be taken later, where others give some back: this share of what can be given
 * back in time.
 */
const RESERVE_SHARE = 0.25

/**
 * What is left of a number that can be given back within a second, the time of an emergency stop.
 *
 * @param inASecond as many as one stressor may have if there is no other
 */
export function mostInASecond(inASecond: number, { giveBackShareInUse }: PlanContext): Most {
  const count = Math.floor(inASecond * Math.max(0, 1 - giveBackShareInUse))
  const others = giveBackShareInUse > 0 ? ', beside what other stressors have' : ''
  return { count, because: `as more could not be given back within a second${others}` }
}

/**
 * @param figure the name of the number that is taken, e.g. `files`
 * @param inASecond as many can be given back in that time
 * @param held another limit than that
 * @throws FaultlineError for a wrong combination of attributes, and where there is nothing to take
 */
export function planCount(
  figure: string,
  { count, leaveFree }: CountedAttributes,
  supplies: readonly Supply[],
  context: PlanContext,
  inASecond: number,
  held: Most = { count: Infinity, because: '' },
): CountedPlan {
  const { field } = context
  if (count !== undefined && leaveFree !== undefined) {
    throw invalidAttribute(field('leaveFree'), 'nothing beside count', leaveFree)
  }
  const spare = spareOf(supplies)
  const tightest = tightestOf(supplies)
  if (tightest === undefined || spare <= 0) throw refusal(noneToTake(figure, tightest))
  const timely = mostInASecond(inASecond, context)
  const most = held.count < timely.count ? held : timely
  if (most.count === 0) throw refusal(`${figure}: there are none to take, ${most.because}`)
  if (leaveFree !== undefined) {
    const rest = planRest(figure, leaveFree, supplies, most, field('leaveFree'))
    const reserved = Math.min(most.count, rest.task.most + Math.ceil(inASecond * RESERVE_SHARE))
    return { ...rest, task: { ...rest.task, most: reserved }, giveBackShare: reserved / inASecond }
  }
  if (count === undefined) throw invalidAttribute(field('count'), 'count or leaveFree', count)
  const notes: string[] = []
  if (count > most.count && most.count <= spare) {
    notes.push(`${count} were asked for: capped at ${most.count}, ${most.because}`)
  } else if (count > spare) {
    const kept = `${keptFree(tightest)} of ${tightest.limit} ${tightest.name} have to stay free`
    notes.push(`${count} were asked for: capped at ${spare}, as ${kept}`)
  }
  const capped = Math.min(count, spare, most.count)
  const task = { count: capped, leaveFree: 0, most: capped }
  return { requested: { [figure]: capped }, notes, task, giveBackShare: capped / inASecond }
}

function noneToTake(figure: string, tightest: Supply | undefined): string {
  if (!tightest) return `${figure}: there are none to take`
  const { limit, used, name } = tightest
  const free = `${Math.max(0, limit - used)} of ${limit} ${name} are free and ${keptFree(tightest)} have to be`
  return `${figure}: there are none to take: ${free}`
}

function planRest(
  figure: string,
  asked: number,
  supplies: readonly Supply[],
  most: Most,
  field: string,
): Omit<CountedPlan, 'giveBackShare'> {
  const tightest = tightestOf(
    supplies.filter(({ guards }) => guards !== true),
    asked,
  )
  const { limit, used, name } = tightest ?? { limit: 0, used: 0, name: figure }
  if (asked >= limit) throw invalidAttribute(field, `less than ${limit}, all the ${name}`, asked)
  const kept = tightest ? keptFree(tightest) : 0
  const leaveFree = Math.max(asked, kept)
  const takesNow = Math.max(0, spareOf(supplies, leaveFree))
  if (takesNow > most.count) {
    throw invalidAttribute(field, `at least ${leaveFree + takesNow - most.count}, ${most.because}`, asked)
  }
  const notes: string[] = []
  if (kept > asked) notes.push(`less than ${kept} free is not safe here: so many will be left`)
  if (leaveFree >= limit - used) notes.push(`there are only ${limit - used} free: none is taken before there are more`)
  return { requested: { [freeFigure(figure)]: leaveFree }, notes, task: { count: null, leaveFree, most: takesNow } }
}

/** `files` that are left are `freeFiles`. */
export function freeFigure(figure: string): string {
  return `free${figure.charAt(0).toUpperCase()}${figure.slice(1)}`
}

/**
 * How many are to be held now: what was asked for, as far as enough stays free; less, if others need them.
 *
 * @param share of what was asked for, 0 to 1
 */
export function countToHold(
  { count, leaveFree, most }: CountedTask,
  share: number,
  held: number,
  supplies: readonly Supply[],
): number {
  const possible = Math.min(most, held + spareOf(supplies, leaveFree))
  const wanted = count === null ? Math.floor(possible * share) : Math.min(Math.floor(count * share), possible)
  return Math.max(0, wanted)
}

/** What is asked for now, as a report says it. */
export function requestedNow(figure: string, { count, leaveFree }: CountedTask, share: number): Figures {
  return count === null ? { [freeFigure(figure)]: leaveFree } : { [figure]: Math.floor(count * share) }
}
