// What /v1 shows of experiments, and what it takes to create one.
import { Type, type Static, type TSchema } from '@sinclair/typebox'
import { environments } from '../../experiments/file/schema.ts'
import type { Journal } from '../../experiments/model.ts'
import type { Plan } from '../../experiments/runner/plan.ts'
import { MIN_TIME_SCALE } from '../../experiments/runner/time-scale.ts'

const nullable = <Schema extends TSchema>(schema: Schema, description: string) =>
  Type.Union([schema, Type.Null()], { description })
const milliseconds = (description: string) => Type.Number({ description })

export const experimentSpecSchema = Type.Object({
  file: Type.Optional(Type.String({ minLength: 1, description: 'The text of an experiment file, in YAML or JSON.' })),
  scenario: Type.Optional(Type.String({ minLength: 1, description: 'In place of it, a scenario of the library.' })),
  parameters: Type.Optional(
    Type.Record(Type.String({ minLength: 1 }), Type.String(), {
      description:
        "Parameters of the scenario, or what `${NAME}` stands for in the file: nothing of the server's own environment does.",
    }),
  ),
  environment: Type.Optional(
    Type.Union(
      environments.map((name) => Type.Literal(name)),
      { description: 'Where it runs, if the file does not say.' },
    ),
  ),
  scaleTime: Type.Optional(
    Type.Number({
      minimum: MIN_TIME_SCALE,
      maximum: 1,
      description: 'A rehearsal: baseline and steps take this share of their time. Default 1.',
    }),
  ),
})

export type ExperimentSpec = Static<typeof experimentSpecSchema>

export const experimentStates = ['created', 'queued', 'running', 'ended'] as const

export type ExperimentState = (typeof experimentStates)[number]

export const experimentSchema = Type.Object({
  id: Type.String(),
  title: Type.String(),
  environment: Type.String({ description: 'default: its file names none.' }),
  state: Type.Union(
    experimentStates.map((name) => Type.Literal(name)),
    { description: 'queued: as many are running as may be.' },
  ),
  createdBy: nullable(Type.String(), 'The name of the token of whoever has created it.'),
  approvedBy: nullable(Type.String(), 'The name of the token of whoever lets it act in production.'),
  phase: nullable(Type.String(), 'In which it is.'),
  attempts: Type.Integer({ minimum: 0, description: 'Of its probes so far.' }),
  failed: Type.Integer({ minimum: 0, description: 'Of these, those that were not good.' }),
  outcome: nullable(
    Type.Union(
      (['passed', 'violated', 'inconclusive', 'aborted', 'error', 'cleanup-incomplete'] as const).map((name) =>
        Type.Literal(name),
      ),
    ),
    'How it has ended.',
  ),
  reason: nullable(Type.String(), 'Why it was stopped, or could not be carried out.'),
  hasResults: Type.Boolean({ description: 'Whether it has run, so that there are results.' }),
})

export const experimentListSchema = Type.Object({ experiments: Type.Array(experimentSchema) })

export const experimentPlanSchema = Type.Object({
  proxies: Type.Integer({ description: 'Of how many proxies the blast radius is a share.' }),
  longestMs: milliseconds('If everything takes as long as it may, in milliseconds.'),
  steps: Type.Array(
    Type.Object({
      phase: Type.String(),
      name: Type.String(),
      fromMs: milliseconds('Since the begin of its phase.'),
      untilMs: milliseconds('Since the begin of its phase.'),
      rampMs: milliseconds('In which it grows to its full height.'),
      severity: Type.Integer({ minimum: 1, maximum: 5 }),
      touches: Type.Array(Type.String(), { description: 'Names of proxies.' }),
      blastRadius: Type.Number({ description: 'Share of the proxies that is touched up to this step.' }),
      notes: Type.Array(Type.String()),
    }),
  ),
})

export const recoverySchema = Type.Object({
  id: Type.String({ description: 'Of the experiment.' }),
  recovered: Type.Boolean({
    description: 'Whether its probes were good and as fast as before again, for long enough.',
  }),
  firstMs: nullable(Type.Number(), 'From the end of the faults to the first good probe.'),
  stableMs: nullable(Type.Number(), 'From the end of the faults to the first probe of those that stayed good.'),
  detectionMs: nullable(Type.Number(), 'From the first fault to the first probe that failed.'),
  outages: Type.Array(
    Type.Object({
      fromMs: milliseconds('Since the begin of the run.'),
      untilMs: Type.Optional(milliseconds('Left out: it never ended while it was watched.')),
    }),
  ),
  checks: Type.Array(
    Type.Object({
      name: Type.String(),
      error: Type.Optional(Type.String({ description: 'Left out: it has passed.' })),
    }),
    { description: 'Steps of the validation.' },
  ),
})

/** As results.json has it. */
export const experimentResultsSchema = Type.Object(
  { version: Type.Literal(1), id: Type.String(), title: Type.String(), outcome: Type.String() },
  { additionalProperties: true, description: 'The journal of a run, as results.json.' },
)

export function viewPlan({ proxies, longestMs, steps }: Plan): Static<typeof experimentPlanSchema> {
  return {
    proxies,
    longestMs,
    steps: steps.map(({ phase, step, touches, blastRadius, notes }) => {
      const { name, fromMs, untilMs, rampMs, severity } = step
      return { phase, name, fromMs, untilMs, rampMs, severity, touches: [...touches], blastRadius, notes: [...notes] }
    }),
  }
}

/** @param id of the experiment, as the journal has one of its own */
export function viewRecovery(id: string, journal: Journal): Static<typeof recoverySchema> {
  const { recoveryMs, detectionMs, outages, steps } = journal
  const checks = steps.filter(({ kind }) => kind === 'check')
  return {
    id,
    recovered: recoveryMs.stable !== null,
    firstMs: recoveryMs.first,
    stableMs: recoveryMs.stable,
    detectionMs,
    outages: outages.map((outage) => ({ ...outage })),
    checks: checks.map(({ name, error }) => ({ name, ...(error !== undefined && { error }) })),
  }
}
