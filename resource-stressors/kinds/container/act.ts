// What is done to containers, and how it is undone: by the load, or by its guard.
import { ContainerEngine } from './engine.ts'
import { engineErrorCode } from './engine-error.ts'

export type ContainerAction = 'pause' | 'kill' | 'stop' | 'restart'

export interface ContainerOrder {
  readonly socketPath: string
  readonly action: ContainerAction
  readonly containers: readonly { readonly id: string; readonly name: string }[]
  /** With `kill`. */
  readonly signal: string
  /** With `stop` and `restart`: how long its main process may take to end. */
  readonly graceSeconds: number
  /** With `stop` and `kill`: it is started again at the end. */
  readonly startAgain: boolean
}

/** Resolves when the engine has done it to all. */
export async function act(engine: ContainerEngine, order: ContainerOrder): Promise<void> {
  await forAll(order, (id) => actOn(engine, order, id))
}

async function actOn(engine: ContainerEngine, order: ContainerOrder, id: string): Promise<void> {
  const { action, signal, graceSeconds } = order
  if (action === 'pause') await engine.pause(id)
  if (action === 'kill') await engine.kill(id, signal)
  if (action === 'stop') await engine.stop(id, graceSeconds)
  if (action === 'restart') await engine.restart(id, graceSeconds)
}

/** Whether anything is left to be undone at the end. A restart is so only while it is under way. */
export function hasUndoing({ action, startAgain }: ContainerOrder): boolean {
  return action === 'pause' || action === 'restart' || startAgain
}

/**
 * May be done again and again.
 *
 * @param isUnderWay nobody knows how far the engine is: then it is done to the end first, lest it be done afterwards
 */
export async function undo(engine: ContainerEngine, order: ContainerOrder, isUnderWay: boolean): Promise<void> {
  await forAll(order, async (id) => {
    if (isUnderWay) await actOn(engine, order, id).catch(unlessRefused)
    if (order.action === 'pause') await unpause(engine, id)
    else if (order.startAgain) await engine.start(id).catch(unlessGone)
  })
}

async function unpause(engine: ContainerEngine, id: string): Promise<void> {
  try {
    await engine.unpause(id)
  } catch (error) {
    // Engines have no status of their own for "it is not paused".
    const { isPaused } = await engine.inspect(id).catch((reason: unknown) => {
      unlessGone(reason)
      return { isPaused: false }
    })
    if (isPaused) throw error
  }
}

/** E.g. because it has been done. */
function unlessRefused(error: unknown): void {
  if (engineErrorCode(error) !== 'refused') unlessGone(error)
}

function unlessGone(error: unknown): void {
  if (engineErrorCode(error) !== 'no_such_container') throw error
}

/** All at the same time; throws the first error when all are through. */
async function forAll({ containers }: ContainerOrder, each: (id: string) => Promise<void>): Promise<void> {
  const outcomes = await Promise.allSettled(containers.map(({ id }) => each(id)))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}

export interface ContainerUndo {
  readonly order: ContainerOrder
  readonly isUnderWay: boolean
}

/** For the guard. */
export async function readyToUndo({ order, isUnderWay }: ContainerUndo): Promise<() => Promise<void>> {
  const engine = await ContainerEngine.connect(order.socketPath)
  return () => undo(engine, order, isUnderWay)
}
