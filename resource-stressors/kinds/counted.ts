// What stressors have in common that take a number of things until few are left: open files, processes.
import { invalidAttribute, refusal, type Figures, type PlanContext } from '../definition.ts'
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
}

export interface CountedPlan {
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
 * @param figure the name of the number that is taken, e.g. `files`
 * @throws FaultlineError for a wrong combination of attributes, and where there is nothing to take
 */
export function planCount(
  figure: string,
  { count, leaveFree }: CountedAttributes,
  supplies: readonly Supply[],
  most: Most,
  { field }: PlanContext,
): CountedPlan {
  if (count !== undefined && leaveFree !== undefined) {
    throw invalidAttribute(field('leaveFree'), 'nothing beside count', leaveFree)
  }
  const spare = spareOf(supplies)
  const tightest = tightestOf(supplies)
  if (tightest === undefined || spare <= 0) throw refusal(noneToTake(figure, tightest))
  if (leaveFree !== undefined) return planRest(figure, leaveFree, supplies, field('leaveFree'))
  if (count === undefined) throw invalidAttribute(field('count'), 'count or leaveFree', count)
  const notes: string[] = []
  if (count > most.count && most.count <= spare) {
    notes.push(`${count} were asked for: capped at ${most.count}, ${most.because}`)
  } else if (count > spare) {
    const kept = `${keptFree(tightest)} of ${tightest.limit} ${tightest.name} have to stay free`
    notes.push(`${count} were asked for: capped at ${spare}, as ${kept}`)
  }
  const capped = Math.min(count, spare, most.count)
  return { requested: { [figure]: capped }, notes, task: { count: capped, leaveFree: 0 } }
}

function noneToTake(figure: string, tightest: Supply | undefined): string {
  if (!tightest) return `${figure}: there are none to take`
  const { limit, used, name } = tightest
  const free = `${Math.max(0, limit - used)} of ${limit} ${name} are free and ${keptFree(tightest)} have to be`
  return `${figure}: there are none to take: ${free}`
}

function planRest(figure: string, asked: number, supplies: readonly Supply[], field: string): CountedPlan {
  const tightest = tightestOf(
    supplies.filter(({ guards }) => guards !== true),
    asked,
  )
  const { limit, used, name } = tightest ?? { limit: 0, used: 0, name: figure }
  if (asked >= limit) throw invalidAttribute(field, `less than ${limit}, all the ${name}`, asked)
  const kept = tightest ? keptFree(tightest) : 0
  const leaveFree = Math.max(asked, kept)
  const notes: string[] = []
  if (kept > asked) notes.push(`less than ${kept} free is not safe here: so many will be left`)
  if (leaveFree >= limit - used) notes.push(`there are only ${limit - used} free: none is taken before there are more`)
  return { requested: { [freeFigure(figure)]: leaveFree }, notes, task: { count: null, leaveFree } }
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
  { count, leaveFree }: CountedTask,
  share: number,
  held: number,
  supplies: readonly Supply[],
): number {
  const possible = held + spareOf(supplies, leaveFree)
  const wanted = count === null ? Math.floor(possible * share) : Math.min(Math.floor(count * share), possible)
  return Math.max(0, wanted)
}

/** What is asked for now, as a report says it. */
export function requestedNow(figure: string, { count, leaveFree }: CountedTask, share: number): Figures {
  return count === null ? { [freeFigure(figure)]: leaveFree } : { [figure]: Math.floor(count * share) }
}
