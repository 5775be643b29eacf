// What results.json has to be like. Fields that it does not know are those of a later version, and stay.
import { Type, type TSchema } from '@sinclair/typebox'
import { notificationEvents, phaseNames, type Journal } from '../model.ts'
import { validate } from '../../proxy/validate.ts'

const ms = Type.Number()
const count = Type.Integer({ minimum: 0 })
const nullable = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const phase = Type.Union(phaseNames.map((name) => Type.Literal(name)))

const figureFields = {
  attempts: count,
  good: count,
  failed: count,
  dropped: count,
  p50Ms: nullable(ms),
  p95Ms: nullable(ms),
  p99Ms: nullable(ms),
  goodP50Ms: nullable(ms),
  goodP95Ms: nullable(ms),
  goodP99Ms: nullable(ms),
}

const figures = Type.Object(figureFields)

const step = Type.Object({
  phase,
  name: Type.String(),
  kind: literals('fault', 'partition', 'stress', 'load', 'check'),
  appliedMs: ms,
  undoneMs: Type.Optional(ms),
  requested: Type.Optional(byName(Type.Number())),
  achieved: Type.Optional(byName(Type.Number())),
  notes: Type.Optional(Type.Array(Type.String())),
  error: Type.Optional(Type.String()),
  keptUntilMs: Type.Optional(ms),
})

const verdict = Type.Object({
  slo: Type.String(),
  result: literals('pass', 'fail', 'inconclusive'),
  measured: nullable(Type.Number()),
  threshold: Type.Number(),
  interval: Type.Optional(Type.Tuple([Type.Number(), Type.Number()])),
  n: count,
  why: Type.String(),
})

const metric = Type.Object({
  points: Type.Array(Type.Tuple([ms, Type.Number()])),
  missed: byName(count),
})

const notification = Type.Object({
  event: literals(...notificationEvents),
  webhook: Type.String(),
  atMs: ms,
  attempts: count,
  error: Type.Optional(Type.String()),
})

const journalSchema = Type.Object(
  {
    version: Type.Literal(1),
    id: Type.String(),
    title: Type.String(),
    environment: Type.String(),
    seed: Type.Number(),
    startedAt: Type.String(),
    durationMs: Type.Number({ minimum: 0 }),
    outcome: literals('passed', 'violated', 'inconclusive', 'aborted', 'error', 'cleanup-incomplete'),
    reason: Type.Optional(Type.String()),
    phases: Type.Array(Type.Object({ name: phase, fromMs: ms, untilMs: ms })),
    steps: Type.Array(step),
    probes: byName(byName(figures)),
    reasons: Type.Optional(byName(byName(count))),
    seconds: Type.Array(Type.Object({ second: count, phase, ...figureFields })),
    outages: Type.Array(Type.Object({ fromMs: ms, untilMs: Type.Optional(ms) })),
    detectionMs: nullable(ms),
    recoveryMs: Type.Object({ first: nullable(ms), stable: nullable(ms) }),
    verdicts: Type.Array(verdict),
    injections: byName(count),
    machine: Type.Array(byName(Type.Number())),
    metrics: Type.Optional(byName(metric)),
    notifications: Type.Optional(Type.Array(notification)),
  },
  { additionalProperties: true },
)

/** @throws FaultlineError naming the first field that is wrong */
export function checkJournal(value: unknown): Journal {
  return validate(journalSchema, value)
}

function literals<Values extends readonly string[]>(...values: Values) {
  return Type.Union(values.map((value) => Type.Literal(value as Values[number])))
}

function byName<Schema extends TSchema>(schema: Schema) {
  return Type.Record(Type.String(), schema)
}
