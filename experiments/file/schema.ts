// What an experiment file may say, beside its probes (probe-schema.ts) and steps (step-schema.ts).
import { Type } from '@sinclair/typebox'
import { notificationEvents, phaseNames } from '../model.ts'
import { loadSchema, metricSchema } from './probe-schema.ts'
import { scenarioSchema } from './scenario-schema.ts'
import { comparisonSchema, durationSchema, shareSchema } from './units.ts'

export const environments = ['development', 'staging', 'production'] as const

export type EnvironmentName = (typeof environments)[number]

/** Phases in which something can be asked: before the first nothing is ready, in the last nothing happens any more. */
export const askedPhases = phaseNames.filter((name) => name !== 'preparation' && name !== 'analysis')

export const validationSteps = ['service_health_check', 'data_consistency_check', 'performance_baseline_check'] as const

export type ValidationStepName = (typeof validationSteps)[number]

/** Checked by itself, by the kind that it has. */
const checkedElsewhere = { additionalProperties: true }

const phase = (description: string) => Type.Object({}, { additionalProperties: false, description })

export const phasesSchema = Type.Object(
  {
    preparation: Type.Optional(
      Type.Object(
        { atMost: Type.Optional(durationSchema('How long targets and probes have to answer once. Default 10s.')) },
        { description: 'Whether the target answers, has the proxies and each probe is good.' },
      ),
    ),
    baseline: Type.Optional(
      Type.Object(
        { for: Type.Optional(durationSchema('How long. Default 30s.')) },
        { description: 'What is usual, as a measure for the rest.' },
      ),
    ),
    stress: Type.Optional(
      Type.Object(
        { load: loadSchema, for: durationSchema('How long.') },
        { description: 'Load without faults. Default: there is no such phase.' },
      ),
    ),
    failure: Type.Array(Type.Object({}, checkedElsewhere), {
      minItems: 1,
      expected: 'an array of at least one step',
      description: 'What goes wrong, as steps: one after another, or at times.',
    }),
    recovery: Type.Optional(
      Type.Object(
        {
          atMost: Type.Optional(durationSchema('How long it may take. Default 30s.')),
          consecutive: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: 10_000,
              description: 'So many good probes one after another are recovery. Default 10.',
            }),
          ),
        },
        { description: 'Waits until probes are good again, and as fast as in the baseline.' },
      ),
    ),
    validation: Type.Optional(
      Type.Object(
        {
          attempts: Type.Optional(
            Type.Integer({ minimum: 1, maximum: 100, description: 'How often each step is tried. Default 3.' }),
          ),
          pause: Type.Optional(durationSchema('Between two attempts. Default 1s.')),
          for: Type.Optional(durationSchema('How long performance_baseline_check measures. Default 10s.')),
          steps: Type.Optional(
            Type.Array(Type.Union(validationSteps.map((name) => Type.Literal(name))), {
              description:
                'service_health_check: every probe but those by SQL is good. data_consistency_check: those by SQL are. ' +
                'performance_baseline_check: as fast as in the baseline. Default: all for which there are probes.',
            }),
          ),
        },
        { description: 'Whether all is well in the end.' },
      ),
    ),
    analysis: Type.Optional(phase('Comes by itself: figures and verdicts.')),
  },
  { description: 'In this order: preparation, baseline, stress, failure, recovery, validation, analysis.' },
)

export const sloSchema = Type.Object(
  {
    mttr: Type.Optional(durationSchema('Mean time to recovery at most. Default 30s; staging 45s; development 60s.')),
    errorRate: Type.Optional(
      shareSchema(
        'Failed probes at most, from the first fault to the end of the recovery. Default 5%; production 1%; development 10%.',
      ),
    ),
    availability: Type.Optional(
      shareSchema('Good probes at least, in the same time. Default 95%; production 99%; development 90%.'),
    ),
    latencyDegradation: Type.Optional(
      durationSchema('How much slower than in the baseline p95 may get. Default 500ms.'),
    ),
    recoveryTime: Type.Optional(durationSchema('From the end of the faults to stable success at most. Default 10s.')),
  },
  { description: 'What must be kept. Defaults are those of the environment.' },
)

export const abortConditionSchema = Type.Object(
  {
    errorRate: Type.Optional(comparisonSchema('share', 'Failed of the probes.')),
    availability: Type.Optional(comparisonSchema('share', 'Good of the probes.')),
    responseTime: Type.Optional(comparisonSchema('duration', 'The 95th percentile of the probes.')),
    cpu: Type.Optional(comparisonSchema('share', 'Of the CPU of this machine, the mean.')),
    memory: Type.Optional(comparisonSchema('share', 'Of the memory of this machine or container, the mean.')),
    disk: Type.Optional(comparisonSchema('share', 'Of the disk with temporary files that is in use.')),
    eventLoopLag: Type.Optional(comparisonSchema('duration', 'By which timers of this process are late, the mean.')),
    metric: Type.Optional(Type.String({ minLength: 1, description: 'The name of one of metrics, with value.' })),
    value: Type.Optional(comparisonSchema('number', 'Of that metric, the mean.')),
    over: Type.Optional(durationSchema('The time that is looked at, up to now. Default 5s.')),
    atLeast: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, description: 'Fewer probes in that time tell nothing. Default 10.' }),
    ),
  },
  { description: 'One figure, and when it is too much.' },
)

export const safetySchema = Type.Object(
  {
    maxDuration: Type.Optional(durationSchema('The whole run at most; then all is reverted. Default 30m.')),
    blastRadius: Type.Optional(
      shareSchema("Share of the target's proxies that steps may touch, all in all. Default 30%."),
    ),
    blastRadiusByType: Type.Optional(
      Type.Record(Type.String({ minLength: 1 }), shareSchema('Share of the proxies.'), {
        description: 'The same for single types of faults, or for `partition`. Default: blastRadius.',
      }),
    ),
    severity: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 5, description: 'Harder steps are refused. Default 5; production 3.' }),
    ),
    rollback: Type.Optional(
      Type.Boolean({
        description:
          'false: faults and partitions that act when the failure phase or the run ends stay, for keepFor at most. Not in ' +
          'production. Default true.',
      }),
    ),
    keepFor: Type.Optional(durationSchema('Without rollback, how long they stay beyond their time. Default 10m.')),
    abortWhen: Type.Optional(
      Type.Array(abortConditionSchema, { description: 'When one holds, all is reverted at once. Default: none.' }),
    ),
  },
  { description: 'What the experiment may not do.' },
)

export const webhookSchema = Type.Object(
  {
    url: Type.String({ minLength: 1, description: 'http: or https:. Gets a POST of JSON.' }),
    on: Type.Optional(
      Type.Array(Type.Union(notificationEvents.map((name) => Type.Literal(name))), {
        minItems: 1,
        expected: `an array of ${notificationEvents.join(', ')}`,
        description:
          'started. phase: each one. breached: a condition of abortWhen holds. stopped: it ends before its time, for ' +
          'whatever reason. finished. Default: started, breached, finished.',
      }),
    ),
  },
  { description: 'Whom to tell, and of what.' },
)

export const experimentSchema = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'For editors.' })),
    scenario: Type.Optional(scenarioSchema),
    title: Type.String({ minLength: 1, maxLength: 200, description: 'What is to be known, in a few words.' }),
    description: Type.Optional(Type.String({ description: 'More about it.' })),
    environment: Type.Optional(
      Type.Union(
        environments.map((name) => Type.Literal(name)),
        { description: 'Sets thresholds and guards. Default: none of these, with thresholds between them.' },
      ),
    ),
    seed: Type.Optional(
      Type.Integer({
        minimum: Number.MIN_SAFE_INTEGER,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'Decides random choices of the analysis. Default: a random one.',
      }),
    ),
    steadyState: Type.Array(Type.Object({}, checkedElsewhere), {
      minItems: 1,
      expected: 'an array of at least one probe',
      description: 'What must stay true: probes that are asked at a rate, each with what it expects.',
    }),
    metrics: Type.Optional(
      Type.Array(metricSchema, {
        description: 'Numbers that are recorded beside the run, as curves of the report. Default: none.',
      }),
    ),
    phases: phasesSchema,
    slo: Type.Optional(sloSchema),
    safety: Type.Optional(safetySchema),
    notify: Type.Optional(
      Type.Array(webhookSchema, { description: 'Webhooks that are told how the run goes. Default: none.' }),
    ),
  },
  { description: 'A hypothesis, what goes wrong on a timeline, and what must be kept.' },
)
