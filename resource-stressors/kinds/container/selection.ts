// Which containers are meant: one by name or id, or those with a label.
import { invalidAttribute, type PlanContext } from '../../definition.ts'
import type { Container } from './engine-answers.ts'
import { engineErrorCode } from './engine-error.ts'
import type { ContainerEngine } from './engine.ts'
import { ownContainer } from './own-container.ts'

export interface ContainerSelector {
  readonly action: string
  readonly container?: string
  readonly label?: string
  readonly maxMatches: number
  readonly startAgain: boolean
}

export interface ContainerSelection {
  readonly chosen: readonly Container[]
  /** Sentences on those that have the label and must not be touched. */
  readonly leftOut: readonly string[]
}

/** @throws FaultlineError naming the attribute: there is none, it can't be touched, there are too many; EngineError */
export async function selectContainers(
  engine: ContainerEngine,
  selector: ContainerSelector,
  context: PlanContext,
): Promise<ContainerSelection> {
  const { container, label } = selector
  const isOwn = ownContainer(context.machine.root)
  const selection =
    container === undefined
      ? await selectByLabel(engine, label ?? '', isOwn, context)
      : { chosen: [await selectByName(engine, container, isOwn, context)], leftOut: [] }
  checkCount(selection.chosen, selector, context)
  for (const chosen of selection.chosen) checkState(chosen, selector, context)
  return selection
}

async function selectByName(
  engine: ContainerEngine,
  container: string,
  isOwn: (id: string) => boolean,
  { field }: PlanContext,
): Promise<Container> {
  try {
    const found = await engine.inspect(container)
    if (!isOwn(found.id)) return found
  } catch (error) {
    if (engineErrorCode(error) !== 'no_such_container') throw error
    throw invalidAttribute(field('container'), `a container that the engine at ${engine.socketPath} has`, container)
  }
  throw invalidAttribute(field('container'), 'another container than the one that this process is in', container)
}

async function selectByLabel(
  engine: ContainerEngine,
  label: string,
  isOwn: (id: string) => boolean,
  { field }: PlanContext,
): Promise<ContainerSelection> {
  const ids = await engine.withLabel(label)
  const others = ids.filter((id) => !isOwn(id))
  if (others.length === 0) {
    const but = ids.length > 0 ? ', beside the one that this process is in' : ''
    const expected = `a label of a container that runs at ${engine.socketPath}${but}`
    throw invalidAttribute(field('label'), expected, label)
  }
  const leftOut = ids.length > others.length ? ['left out: the container that this process is in'] : []
  return { chosen: await Promise.all(others.map((id) => engine.inspect(id))), leftOut }
}

function checkCount(chosen: readonly Container[], { maxMatches }: ContainerSelector, { field }: PlanContext): void {
  if (chosen.length <= maxMatches) return
  const names = chosen.map(({ name }) => name).join(', ')
  const expected = `at least ${chosen.length}, as so many have the label: ${names}`
  throw invalidAttribute(field('maxMatches'), expected, maxMatches)
}

/** One that is paused or does not run may be so for a reason, and would not be left as it was. */
function checkState({ name, ...state }: Container, selector: ContainerSelector, { field }: PlanContext): void {
  const key = selector.container === undefined ? 'label' : 'container'
  const problem = !state.isRunning ? 'does not run' : state.isPaused ? 'is paused' : undefined
  if (problem !== undefined) {
    throw invalidAttribute(field(key), `a container that runs, and ${name} ${problem}`, selector[key])
  }
  if (state.isRemovedAtEnd && selector.startAgain) {
    const expected = `false, as the engine removes ${name} when it stops`
    throw invalidAttribute(field('startAgain'), expected, selector.startAgain)
  }
}
