// Containers that are paused, killed, stopped or restarted, as the child does it.
import { setTimeout as delay } from 'node:timers/promises'
import { defineLoad, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import { Guard } from '../../guard/guard.ts'
import { act, hasUndoing, undo, type ContainerOrder } from './act.ts'
import { ContainerEngine } from './engine.ts'
import { engineErrorCode } from './engine-error.ts'

/** Errors come at once. What takes longer is a container that takes its time to end. */
const PATIENCE_MS = 1000
const LOOK_MS = 1000

class ContainerLoad implements RunningLoad {
  readonly #engine: ContainerEngine
  readonly #order: ContainerOrder
  readonly #guard: Guard | undefined
  readonly #timer: NodeJS.Timeout
  /** Resolves when the engine has done it. */
  readonly acting: Promise<void>
  #hasActed = false
  /** Containers that are as they were to be; undefined = the engine did not say. */
  #affected: number | undefined = 0
  #areGone = false

  constructor(engine: ContainerEngine, order: ContainerOrder, guard: Guard | undefined) {
    this.#engine = engine
    this.#order = order
    this.#guard = guard
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS)
    this.acting = this.#act()
  }

  async #act(): Promise<void> {
    await act(this.#engine, this.#order)
    this.#hasActed = true
    this.#affected = this.#order.containers.length
    await this.#guard?.arm('container', { order: this.#order, isUnderWay: false })
  }

  ramp(): void {
    // All or nothing: the definition allows no ramp.
  }

  /** Whether all is still so: others may unpause or start a container too. */
  async #look(): Promise<void> {
    const { action, containers } = this.#order
    const states = containers.map(({ id }) => this.#engine.inspect(id))
    const outcomes = await Promise.allSettled(states)
    const gone = outcomes.filter(
      (outcome) => outcome.status === 'rejected' && engineErrorCode(outcome.reason) === 'no_such_container',
    )
    const seen = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    const affected = seen.filter(({ isPaused, isRunning }) => (action === 'pause' ? isPaused : !isRunning))
    this.#areGone = gone.length === containers.length
    // One that was restarted looks like any other.
    if (action !== 'restart') {
      this.#affected = seen.length + gone.length < containers.length ? undefined : affected.length
    }
    this.#timer.refresh()
  }

  progress(): Progress {
    const achieved = this.#affected === undefined ? {} : { containers: this.#affected }
    return { requested: { containers: this.#order.containers.length }, achieved }
  }

  finished(): string | undefined {
    const { action, containers, startAgain } = this.#order
    const what = containers.length === 1 ? 'the container is' : `all ${containers.length} containers are`
    if (this.#areGone) return `${what} gone`
    if (!this.#hasActed || action === 'pause' || startAgain) return undefined
    return `${what} ${action === 'kill' ? 'killed' : action === 'stop' ? 'stopped' : 'restarted'}`
  }

  /** If it can't be undone, the guard is not dismissed: it goes on trying. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    if (!this.#guard) return
    const isOver = await this.acting.then(
      () => true,
      () => false,
    )
    await undo(this.#engine, this.#order, !isOver)
    await this.#guard.dismiss()
  }
}

async function start(order: ContainerOrder): Promise<RunningLoad> {
  const engine = await ContainerEngine.connect(order.socketPath)
  const guard = hasUndoing(order) ? new Guard() : undefined
  await guard?.arm('container', { order, isUnderWay: true })
  const load = new ContainerLoad(engine, order, guard)
  try {
    await Promise.race([load.acting, delay(PATIENCE_MS)])
  } catch (error) {
    await load.stop()
    throw error
  }
  // Caught by nobody: a failure that comes later ends the process, with its reason.
  void load.acting.then(() => undefined)
  return load
}

export const containerLoad = defineLoad<ContainerOrder>({ start })
