// Statements in the hands of faults: which are asked, what they said, and what is to be done after that.
import type { PostgresEvent, PostgresMoment, PostgresVerdict } from '../../faults/postgres/postgres-fault.ts'
import type { InjectionDetail } from '../../injection-log.ts'
import type { InstalledFault } from '../../installed-fault.ts'
import type { Gate } from './expected.ts'
import type { Sql } from './sql.ts'
import { keyOf, ruleOf, type PostgresCore } from './core.ts'

/** One statement as faults are asked about it. */
export interface Candidate {
  readonly event: PostgresEvent
  /** The text that it is part of. */
  readonly whole: Sql | undefined
  readonly prepared: string | undefined
  /** Taken apart only if a match asks. */
  readonly parameters: readonly (Buffer | null)[]
}

type VerdictOf<Kind extends PostgresVerdict['kind']> = Extract<PostgresVerdict, { kind: Kind }>

/** What ends the statement: nothing is asked after that. */
export interface Ending {
  readonly fault: InstalledFault
  readonly verdict: VerdictOf<'fail' | 'reset' | 'end'>
  readonly candidate: Candidate
  /** The candidate's number. */
  readonly index: number
}

/** What is to be waited for before the decision goes on. */
export interface Delay {
  readonly fault: InstalledFault
  readonly delayMs: number
}

/** Injections say no more of a query's text. */
const MAX_QUOTED = 200

export class Decision {
  readonly gates: Gate[] = []
  /** Time that the server is to be kept busy before. */
  serverDelay: (Delay & { readonly detail: InjectionDetail }) | undefined
  ending: Ending | undefined
  readonly #session: PostgresCore
  readonly #candidates: readonly Candidate[]
  readonly #faults: readonly InstalledFault[]
  #fault = 0
  #candidate = 0

  constructor(session: PostgresCore, moment: PostgresMoment, candidates: readonly Candidate[]) {
    this.#session = session
    this.#candidates = candidates
    this.#faults = session.of(moment)
  }

  /** Asks the faults in their order. Returns what is to be waited for, undefined when all is decided. */
  next(): Delay | undefined {
    for (; this.#fault < this.#faults.length && !this.ending; this.#fault++) {
      const fault = this.#faults[this.#fault] as InstalledFault
      while (this.#candidate < this.#candidates.length && !this.ending) {
        const index = this.#candidate++
        const delay = this.#ask(fault, this.#candidates[index] as Candidate, index)
        if (delay) return delay
      }
      this.#candidate = 0
    }
    return undefined
  }

  #ask(fault: InstalledFault, candidate: Candidate, index: number): Delay | undefined {
    const session = this.#session
    if (!session.installed(fault) || !session.concerns(fault)) return undefined
    const { event } = candidate
    const rule = ruleOf(fault)
    const matches = rule.match.statement({
      sql: event.sql,
      prepared: candidate.prepared,
      get parameters() {
        return candidate.parameters
      },
      inTransaction: event.transaction !== 'idle',
    })
    if (!matches) {
      // Looked at last: it shows once the parser has been asked.
      if (rule.match.asksStatement && candidate.whole?.understood === false) session.notUnderstood(fault)
      return undefined
    }
    const applies = rule.applies?.(event) ?? true
    if (typeof applies === 'string') session.notApplied(fault, applies)
    if (applies !== true || !session.selects(fault, event)) return undefined
    const verdict = session.decide(fault, event)
    const detail = describe(event)
    switch (verdict.kind) {
      case 'delay':
        if (verdict.inServer) {
          const before = this.serverDelay?.delayMs ?? 0
          this.serverDelay = { fault, delayMs: before + verdict.delayMs, detail }
          session.record(fault, 'delay_in_server', { ...detail, delayMs: verdict.delayMs })
          return undefined
        }
        session.record(fault, 'delay', { ...detail, delayMs: verdict.delayMs })
        return { fault, delayMs: verdict.delayMs }
      case 'answer':
      case 'pace':
        this.gates.push({ fault, part: index, what: verdict, detail, key: keyOf(fault, event), acted: false })
        return undefined
      case 'fail':
      case 'reset':
      case 'end':
        this.ending = { fault, verdict, candidate, index }
        return undefined
      default:
        return undefined
    }
  }
}

/** What injections say of a statement. */
export function describe({ sql, via, number }: PostgresEvent): InjectionDetail {
  const text = sql?.text ?? ''
  const query = text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text
  return { number, via, statement: sql?.kind ?? 'unknown', query }
}
