// Reads the activities of an experiment: probes of the hypothesis, the method, the rollbacks, and what refers to them.
import { Type } from '@sinclair/typebox'
import { isObject, withoutNulls, type Fields, type Mistakes } from '../../admin/config/mistakes.ts'
import { FaultlineError } from '../../proxy/errors.ts'
import { nearest } from '../../proxy/nearest.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import type { Activity, Hypothesis, HypothesisProbe, Provider, Tolerance, ToleranceObject } from './document.ts'
import { checkProvider, type ProviderCheck } from './provider.ts'
import { refuseControls } from './refuse-controls.ts'
import { checkTolerance } from './tolerance.ts'
import { namesToCome } from './toxiproxy/provider.ts'
import { isOnlyIgnored } from './unknown-fields.ts'

const activitySchema = Type.Object({
  type: Type.Union([Type.Literal('probe'), Type.Literal('action')]),
  name: Type.String({ minLength: 1 }),
  provider: Type.Unknown(),
  background: Type.Optional(Type.Boolean()),
  pauses: Type.Optional(Type.Object({}, { additionalProperties: true })),
  tolerance: Type.Optional(Type.Unknown()),
  controls: Type.Optional(Type.Unknown()),
  secrets: Type.Optional(Type.Unknown()),
  configuration: Type.Optional(Type.Unknown()),
})

const refSchema = Type.Object({
  ref: Type.String({ minLength: 1 }),
  background: Type.Optional(Type.Boolean()),
  tolerance: Type.Optional(Type.Unknown()),
  controls: Type.Optional(Type.Unknown()),
})

const pause = Type.Optional(Type.Number({ minimum: 0, expected: 'a number of seconds ≥ 0' }))
const pausesSchema = Type.Object({ before: pause, after: pause })

const hypothesisSchema = Type.Object({
  title: Type.String({ minLength: 1 }),
  probes: Type.Optional(Type.Array(Type.Unknown())),
  controls: Type.Optional(Type.Unknown()),
})

export class ActivityReader {
  readonly warnings: string[] = []
  readonly #mistakes: Mistakes
  readonly #document: Fields
  readonly #check: ProviderCheck
  /** What may be referred to, by name: the last one of a name counts, and probes of the hypothesis before the method. */
  readonly #named: ReadonlyMap<string, Fields>

  constructor(mistakes: Mistakes, document: Fields, check: Omit<ProviderCheck, 'toCome'>) {
    this.#mistakes = mistakes
    this.#document = document
    const method = listOf(document['method'])
    const all = [...method, ...this.#probes(), ...listOf(document['rollbacks'])].filter(isObject)
    const toCome = new Set(all.flatMap(({ provider }) => (isObject(provider) ? namesToCome(provider) : [])))
    this.#check = { ...check, toCome }
    const named = [...method, ...this.#probes()].filter(isObject).filter(({ ref }) => ref === undefined)
    this.#named = new Map(named.map((activity) => [String(activity['name']), activity]))
  }

  /** Undefined if there are no probes to judge by. */
  hypothesis(): Hypothesis | undefined {
    const field = 'steady-state-hypothesis'
    const given = this.#document[field]
    if (!isObject(given)) return undefined
    this.#mistakes.fields(hypothesisSchema, withoutNulls(given), field)
    refuseControls(this.#mistakes, given['controls'], joinPath(field, 'controls'))
    const probes = this.#probes().map((probe, index) => this.#probe(probe, `${field}.probes.${index}`))
    if (probes.length === 0) return undefined
    return { title: String(this.#check.values.substitute(given['title'])), probes: probes.filter(isThere) }
  }

  activities(field: 'method' | 'rollbacks'): readonly Activity[] {
    const activities = listOf(this.#document[field]).map((given, index) => {
      const path = `${field}.${index}`
      if (isObject(given) && given['tolerance'] !== undefined) {
        this.warnings.push(`${path}.tolerance: only probes of the steady-state-hypothesis are judged by it`)
      }
      return this.#activity(given, path)
    })
    return activities.filter(isThere)
  }

  #probes(): readonly unknown[] {
    const hypothesis = this.#document['steady-state-hypothesis']
    return isObject(hypothesis) ? listOf(hypothesis['probes']) : []
  }

  #probe(given: unknown, field: string): HypothesisProbe | undefined {
    const activity = this.#activity(given, field)
    if (!isObject(given)) return undefined
    const tolerance = given['tolerance']
    const path = joinPath(field, 'tolerance')
    if (tolerance === undefined || tolerance === null) {
      const expected = 'what the output has to be like'
      this.#refuse('missing_field', path, `missing, expected ${expected}`, expected)
      return undefined
    }
    const isGood = checkTolerance(this.#mistakes, tolerance, path, this.#check.values)
    if (!isGood || !this.#checkAsking(tolerance, path)) return undefined
    return activity && { ...activity, tolerance }
  }

  /** A tolerance that is a probe itself. */
  #checkAsking(tolerance: Tolerance, field: string): boolean {
    if (typeof tolerance !== 'object' || Array.isArray(tolerance)) return true
    const { type, provider } = tolerance as ToleranceObject & { readonly provider?: unknown }
    if (type !== 'probe') return true
    const path = joinPath(field, 'provider')
    if (!checkProvider(this.#mistakes, provider, path, this.#check)) return false
    if (provider.type === 'python') {
      const expected = 'http or process, as no function here takes the output that is to be judged'
      this.#refuse('invalid_value', joinPath(path, 'type'), `expected ${expected}, got "python"`, expected)
      return false
    }
    const given = provider['arguments']
    if (given === undefined || isObject(given)) return true
    const expected = 'an object, to which the output that is to be judged is added as value'
    const got = describeValue(given)
    this.#refuse('invalid_value', joinPath(path, 'arguments'), `expected ${expected}, got ${got}`, expected)
    return false
  }

  #activity(given: unknown, field: string): Activity | undefined {
    if (!isObject(given)) {
      const expected = 'an object'
      this.#refuse('invalid_value', field, `expected ${expected}, got ${describeValue(given)}`, expected)
      return undefined
    }
    refuseControls(this.#mistakes, given['controls'], joinPath(field, 'controls'))
    const fields = withoutNulls(given)
    return fields['ref'] === undefined ? this.#whole(fields, given, field) : this.#reference(fields, field)
  }

  #reference(fields: Fields, field: string): Activity | undefined {
    this.#mistakes.fields(refSchema, fields, field)
    const { ref } = fields
    if (typeof ref !== 'string' || ref === '') return undefined
    const found = this.#named.get(ref)
    if (!found) {
      const close = nearest(ref, [...this.#named.keys()])
      const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
      const expected = 'the name of an activity of the method or the hypothesis'
      const message = `expected ${expected}, got ${describeValue(ref)}${hint}`
      this.#refuse('invalid_value', joinPath(field, 'ref'), message, expected)
      return undefined
    }
    // Where it stands, it is checked, too, and its mistakes are told there.
    const activity = toActivity(withoutNulls(found), found)
    return { ...activity, background: fields['background'] === true }
  }

  #whole(fields: Fields, source: Fields, field: string): Activity | undefined {
    const mistakes = this.#mistakes
    const { length } = mistakes.errors
    mistakes.fields(activitySchema, fields, field)
    const path = joinPath(field, 'provider')
    if (fields['provider'] !== undefined) checkProvider(mistakes, fields['provider'], path, this.#check)
    this.#checkPauses(fields['pauses'], joinPath(field, 'pauses'))
    this.#warnOfUnknown(fields['provider'], path)
    return isOnlyIgnored(mistakes, length) ? toActivity(fields, source) : undefined
  }

  #checkPauses(given: unknown, field: string): void {
    if (!isObject(given)) return
    const filled = this.#check.values.substitute(withoutNulls(given)) as Fields
    this.#mistakes.fields(pausesSchema, filled, field)
  }

  /** They may be meant for who reads them, e.g. a shell, but more often are mistyped. */
  #warnOfUnknown(provider: unknown, field: string): void {
    const { values, toCome } = this.#check
    for (const name of new Set(values.unknownNames(provider))) {
      if (toCome.has(name)) continue
      this.warnings.push(`${field}: there is no ${name} in configuration or secrets: it stays as it is`)
    }
  }

  #refuse(code: 'invalid_value' | 'missing_field', field: string, message: string, expected: string): void {
    this.#mistakes.errors.push(new FaultlineError(code, `${field}: ${message}`, { field, expected }))
  }
}

function toActivity(fields: Fields, source: Fields): Activity {
  return {
    type: fields['type'] as Activity['type'],
    name: String(fields['name']),
    provider: fields['provider'] as Provider,
    background: fields['background'] === true,
    pauses: isObject(fields['pauses']) ? withoutNulls(fields['pauses']) : {},
    source,
  }
}

function listOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) ? given : []
}

function isThere<Value>(value: Value | undefined): value is Value {
  return value !== undefined
}
