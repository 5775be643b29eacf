// The experiments that a server has been given: created, approved, run a few at a time, and stopped whenever the server is.
import { randomUUID } from 'node:crypto'
import type { Static } from '@sinclair/typebox'
import type { FastifyInstance } from 'fastify'
import type { ExperimentFile, Journal, Outcome, Plan, RunEvent } from '../../experiments/index.ts'
import { FaultlineError, isFaultlineError, type Network } from '../../proxy/index.ts'
import type { Stressors } from '../../resource-stressors/index.ts'
import type { ServerEvent, ServerEventType, ServerLog } from '../feed/server-log.ts'
import { Refusal } from '../security/refusal.ts'
import { readExperiment, type ExperimentPermissions } from './experiment-files.ts'
import type { experimentSchema, ExperimentState } from './experiment-views.ts'

/** So many are kept; for a new one the oldest of those that have ended makes room. */
const MAX_EXPERIMENTS = 100

/** What experiments act on, and who hears of them. */
export interface ExperimentSurroundings {
  readonly network: Network
  readonly stressors: Stressors
  readonly events: ServerLog
}

/** They are stopped by the emergency stop, and when the server closes: it waits until everything is reverted. */
export function hostExperiments(
  app: FastifyInstance,
  surroundings: ExperimentSurroundings,
  permissions: ExperimentPermissions,
): Experiments {
  const experiments = new Experiments(surroundings, permissions)
  const unsubscribe = surroundings.network.changes.subscribe(({ type }) => {
    if (type === 'stopped') void experiments.stopAll('stopped by the emergency stop')
  })
  let ended: Promise<unknown> = Promise.resolve()
  app.addHook('preClose', (done) => {
    ended = experiments.stopAll('the server is stopping')
    done()
  })
  app.addHook('onClose', async () => {
    await ended
    unsubscribe()
  })
  return experiments
}

export class Experiments {
  readonly #surroundings: ExperimentSurroundings
  readonly #permissions: ExperimentPermissions
  readonly #all = new Map<string, ServerExperiment>()

  constructor(surroundings: ExperimentSurroundings, permissions: ExperimentPermissions) {
    this.#surroundings = surroundings
    this.#permissions = permissions
  }

  /** The oldest first. */
  get list(): readonly ServerExperiment[] {
    return [...this.#all.values()]
  }

  /** @param caller the name of the client's token @throws FaultlineError */
  async create(body: unknown, caller: string | null): Promise<ServerExperiment> {
    const file = await readExperiment(body, this.#permissions)
    this.#makeRoom()
    const experiment = new ServerExperiment(file, caller, (type, detail) => this.#record(type, detail))
    this.#all.set(experiment.id, experiment)
    return experiment
  }

  require(id: string): ServerExperiment {
    const experiment = this.#all.get(id)
    if (experiment) return experiment
    throw new Refusal(404, 'experiment_not_found', `there is no experiment with the id "${id}"`)
  }

  /** What it would do now; touches nothing. @throws Refusal, or FaultlineError, if it would be refused */
  async plan(experiment: ServerExperiment, isDryRun = true): Promise<Plan> {
    const { planExperiment } = await import('../../experiments/runner/plan.ts')
    const allowProduction = experiment.approvedBy !== null
    try {
      return await planExperiment(experiment.file.experiment, await this.#target(), { isDryRun, allowProduction })
    } catch (error) {
      throw located(experiment.file, error)
    }
  }

  /** Resolves when it runs, or waits for its turn. @throws Refusal, or FaultlineError, if it is refused; then it can be tried again */
  async start(experiment: ServerExperiment): Promise<void> {
    experiment.queue()
    try {
      await this.plan(experiment, false)
    } catch (error) {
      experiment.unqueue()
      throw error
    }
    const target = await this.#target()
    const { runExperiment } = await import('../../experiments/runner/run.ts')
    experiment.run((signal, onEvent) => {
      const allowProduction = experiment.approvedBy !== null
      return runExperiment(experiment.file.experiment, target, { signal, onEvent, allowProduction })
    })
  }

  /** Resolves when nothing of it acts any more. */
  async remove(experiment: ServerExperiment): Promise<void> {
    await experiment.stop('it was removed')
    this.#all.delete(experiment.id)
  }

  /** Those that run or wait for it. Resolves when nothing of them acts any more. */
  async stopAll(reason: string): Promise<void> {
    const active = this.list.filter(({ state }) => state === 'queued' || state === 'running')
    await Promise.all(active.map((experiment) => experiment.stop(reason)))
  }

  #makeRoom(): void {
    if (this.#all.size < MAX_EXPERIMENTS) return
    const oldest = this.list.find(({ state }) => state === 'ended')
    if (!oldest)
      throw new FaultlineError('limit_reached', `there are ${MAX_EXPERIMENTS} experiments that have not ended`)
    this.#all.delete(oldest.id)
  }

  async #target() {
    const { NetworkTarget } = await import('../../experiments/runner/network-target.ts')
    const { network, stressors } = this.#surroundings
    return new NetworkTarget({ network, stressors })
  }

  #record(type: ServerEventType, detail: ServerEvent['detail']): void {
    const { network, events } = this.#surroundings
    events.append({ timeMs: network.clock.wallTimeMs(), type, detail })
  }
}

type Work = (
  signal: AbortSignal,
  onEvent: (event: RunEvent) => void,
) => Promise<{ readonly journal: Journal; readonly errors: readonly FaultlineError[] }>

/** One of them. It runs once: what was approved is what has run. */
export class ServerExperiment {
  readonly id = randomUUID()
  readonly file: ExperimentFile
  readonly createdBy: string | null
  readonly #abort = new AbortController()
  readonly #record: (type: ServerEventType, detail: ServerEvent['detail']) => void
  #approvedBy: string | null = null
  #state: ExperimentState = 'created'
  #phase: string | null = null
  #attempts = 0
  #failed = 0
  #outcome: Outcome | null = null
  #reason: string | null = null
  #journal: Journal | undefined
  #ended: Promise<void> = Promise.resolve()

  /** @param record puts what happens on record */
  constructor(
    file: ExperimentFile,
    createdBy: string | null,
    record: (type: ServerEventType, detail: ServerEvent['detail']) => void,
  ) {
    this.file = file
    this.createdBy = createdBy
    this.#record = (type, detail) => record(type, { experiment: this.id, title: file.experiment.title, ...detail })
  }

  get state(): ExperimentState {
    return this.#state
  }

  get approvedBy(): string | null {
    return this.#approvedBy
  }

  /** @throws Refusal if it has not run */
  get journal(): Journal {
    if (this.#journal) return this.#journal
    throw new Refusal(409, 'no_results', `the experiment has no results: it is ${this.#state}${this.#because}`)
  }

  /** Lets it act in production. @param caller another token than that of whoever has created it @throws Refusal */
  approve(caller: string | null): void {
    const { environment } = this.file.experiment
    if (environment !== 'production') {
      throw new Refusal(409, 'approval_not_needed', `the experiment is for ${environment}, which wants no approval`)
    }
    if (caller === null || caller === this.createdBy) {
      const expected = 'another token than that of whoever has created the experiment'
      const hint = caller === null ? 'this server has no tokens' : `both are "${caller}"`
      const about = { field: 'authorization', expected }
      throw new Refusal(403, 'second_token_needed', `authorization: expected ${expected}, but ${hint}`, about)
    }
    this.#approvedBy ??= caller
  }

  /** @throws Refusal if it has been started, or stopped */
  queue(): void {
    if (this.#state !== 'created') {
      throw new Refusal(409, 'experiment_started', `the experiment is ${this.#state}: each runs once, create it anew`)
    }
    if (this.file.experiment.environment === 'production' && this.#approvedBy === null) {
      const expected = 'an approval by a second token: POST /v1/experiments/{id}/approve'
      const about = { field: 'environment', expected }
      throw new Refusal(403, 'approval_needed', `environment: expected ${expected}, as this is production`, about)
    }
    this.#state = 'queued'
  }

  unqueue(): void {
    if (this.#state === 'queued') this.#state = 'created'
  }

  run(work: Work): void {
    // It may have been stopped in the meantime.
    if (this.#state !== 'queued') return
    this.#ended = this.#runOnce(work)
  }

  /** Resolves when nothing of it acts any more. */
  async stop(reason: string): Promise<void> {
    if (this.#state === 'ended') return
    this.#abort.abort(new Error(reason))
    await this.#ended
    // It had not been run yet.
    if (this.state !== 'ended') this.#end('aborted', reason)
  }

  view(): Static<typeof experimentSchema> {
    const { title, environment } = this.file.experiment
    return {
      id: this.id,
      title,
      environment,
      state: this.#state,
      createdBy: this.createdBy,
      approvedBy: this.#approvedBy,
      phase: this.#phase,
      attempts: this.#attempts,
      failed: this.#failed,
      outcome: this.#outcome,
      reason: this.#reason,
      hasResults: this.#journal !== undefined,
    }
  }

  get #because(): string {
    return this.#reason === null ? '' : `, ${this.#reason}`
  }

  async #runOnce(work: Work): Promise<void> {
    try {
      const { journal, errors } = await work(this.#abort.signal, (event) => this.#happened(event))
      this.#journal = journal
      this.#end(journal.outcome, errors.length > 0 ? this.file.locate(errors).message : journal.reason)
    } catch (error) {
      const reason = located(this.file, error)
      this.#end(this.#abort.signal.aborted ? 'aborted' : 'error', reason instanceof Error ? reason.message : undefined)
    }
  }

  #happened(event: RunEvent): void {
    const told = describeEvent(event)
    if (event.kind === 'phase') {
      if (this.#state !== 'running') this.#record('experiment_started', {})
      this.#state = 'running'
      this.#phase = event.phase
    }
    if (told) this.#record(...told)
    if (event.kind !== 'attempt') return
    this.#attempts++
    if (event.attempt.outcome !== 'good') this.#failed++
  }

  #end(outcome: Outcome, reason: string | undefined): void {
    this.#state = 'ended'
    this.#phase = null
    this.#outcome = outcome
    this.#reason = reason ?? null
    const why = reason === undefined ? {} : { reason }
    this.#record('experiment_finished', { outcome, ...why, attempts: this.#attempts, failed: this.#failed })
  }
}

/** What of it the feed has; undefined: nothing. */
function describeEvent(event: RunEvent): readonly [ServerEventType, ServerEvent['detail']] | undefined {
  switch (event.kind) {
    case 'phase':
      return ['experiment_phase', { phase: event.phase, expectedMs: event.expectedMs }]
    case 'step': {
      const { phase, name, kind, undoneMs, error } = event.step
      const state =
        error !== undefined ? 'failed' : kind === 'check' ? 'passed' : undoneMs === undefined ? 'begun' : 'undone'
      return ['experiment_step', { phase, step: name, kind, state, ...(error !== undefined && { error }) }]
    }
    case 'breached':
      return ['experiment_breached', { reason: event.reason }]
    case 'stopping':
      return ['experiment_stopping', { reason: event.reason }]
    default:
      return undefined
  }
}

/** What only the network knew to be wrong has its place in the file. An emergency stop is in none. */
function located(file: ExperimentFile, error: unknown): unknown {
  if (!isFaultlineError(error) || error.code === 'stopped' || !('errors' in error)) return error
  const { code, message, field = '', expected = '' } = file.locate(error.errors as readonly FaultlineError[])
  // Not 404, should a proxy not be there: the experiment is.
  return new Refusal(422, code, message, { field, expected })
}
