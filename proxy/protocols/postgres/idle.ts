// What is done while a connection is idle: faults end it, or change it by statements of the proxy's own.
import type { TimerHandle } from '../../clock.ts'
import type { PostgresEvent } from '../../faults/postgres/postgres-fault.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import { ruleOf, type PostgresCore } from './core.ts'
import { special } from './expected.ts'
import { query } from './wire.ts'

export class IdleMoments {
  readonly #session: PostgresCore
  #timer: TimerHandle
  /** What faults have made of the connection, for as long as they are here: the SQL, and that which takes it back. */
  readonly #lasting = new Map<InstalledFault, { readonly sql: string; readonly undo: string }>()
  /** To be run once the connection can be used for it. */
  readonly #toUndo: string[] = []
  readonly #onceDone = new Set<InstalledFault>()

  constructor(session: PostgresCore) {
    this.#session = session
  }

  /** Whether anything may be to be done. */
  get needed(): boolean {
    const session = this.#session
    return this.#toUndo.length > 0 || session.of('idle').length > 0 || session.of('ready').length > 0
  }

  /** What it has made of the connection is to be taken back. */
  removeFault(fault: InstalledFault): void {
    this.#onceDone.delete(fault)
    const lasting = this.#lasting.get(fault)
    this.#lasting.delete(fault)
    const wantedByOthers = [...this.#lasting.values()].some(({ undo }) => undo === lasting?.undo)
    if (lasting && !wantedByOthers) this.#toUndo.push(lasting.undo)
  }

  /** The moment is over. */
  stop(): void {
    if (this.#timer !== undefined) this.#session.host.clock.clearTimer(this.#timer)
    this.#timer = undefined
  }

  /** @param ofClient the client has been answered just now */
  begin(ofClient: boolean): void {
    const session = this.#session
    this.stop()
    if (session.transaction === 'idle') this.use(false, ofClient)
    const waiting = session.of('idle').filter((fault) => session.concerns(fault))
    if (waiting.length > 0) this.#wait(Math.min(...waiting.map(afterMsOf)), 0)
  }

  #wait(untilMs: number, elapsedMs: number): void {
    const { clock } = this.#session.host
    this.#timer = clock.setTimer(() => this.#idleFor(untilMs), untilMs - elapsedMs)
  }

  #idleFor(elapsedMs: number): void {
    const session = this.#session
    this.#timer = undefined
    if (!session.isIdle) return
    let nextMs = Number.POSITIVE_INFINITY
    for (const fault of session.of('idle')) {
      const afterMs = afterMsOf(fault)
      if (afterMs > elapsedMs) nextMs = Math.min(nextMs, afterMs)
      if (afterMs !== elapsedMs) continue
      const event = session.bareEvent()
      if (!this.#acts(fault, event)) continue
      const verdict = session.decide(fault, event)
      if (verdict.kind !== 'end') continue
      session.record(fault, 'terminate', { code: verdict.error.code, transaction: session.transaction })
      return session.endWith(verdict.error, verdict.notice)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#wait(nextMs, elapsedMs)
  }

  /**
   * Outside transactions the connection can be used for statements of the proxy's own.
   *
   * @param withReady the client waits for a ReadyForQuery, which the answer to these brings. True is returned if so
   * @param ofClient the client has been answered just now
   */
  use(withReady: boolean, ofClient: boolean): boolean {
    const session = this.#session
    const statements = this.#toUndo.splice(0)
    const lasting: string[] = []
    let renewed = false
    for (const fault of session.of('ready')) {
      const rule = ruleOf(fault)
      if (rule.once ? this.#onceDone.has(fault) : !ofClient) continue
      const event = session.bareEvent()
      if (rule.once) this.#onceDone.add(fault)
      if (!this.#acts(fault, event)) continue
      const verdict = session.decide(fault, event)
      if (verdict.kind !== 'run') continue
      const { sql, undo, action } = verdict
      if (undo === undefined) {
        renewed = true
        statements.push(sql)
      } else {
        lasting.push(sql)
        this.#lasting.set(fault, { sql, undo })
      }
      session.record(fault, action, {})
    }
    // Another connection is no longer what faults have made of the one before.
    statements.push(...(renewed ? [...this.#lasting.values()].map(({ sql }) => sql) : lasting))
    for (const [index, sql] of statements.entries()) {
      const passReady = withReady && index === statements.length - 1
      session.requests.output.write(query(sql))
      session.expect(special('query', { hidden: true, passReady }))
    }
    return statements.length > 0
  }

  #acts(fault: InstalledFault, event: PostgresEvent): boolean {
    const session = this.#session
    return session.concerns(fault) && ruleOf(fault).applies?.(event) === true && session.selects(fault, event)
  }
}

function afterMsOf(fault: InstalledFault): number {
  return ruleOf(fault).afterMs ?? 0
}
