// What an experiment file may say of the steps of its timeline.
import { Type } from '@sinclair/typebox'
import { partitionSpecSchema } from '../../proxy/partition.ts'
import { faultSpecSchema } from '../../proxy/installed-fault.ts'
import { loadSchema } from './probe-schema.ts'
import { durationSchema } from './units.ts'

const free = { additionalProperties: true }
const fault = faultSpecSchema.properties

/** As the API has it, without what the runner sees to: name, lease, time to live. */
export const faultStepSchema = Type.Object(
  {
    proxy: Type.String({ minLength: 1, description: 'The name of the proxy that it is on.' }),
    type: fault.type,
    direction: fault.direction,
    probability: Type.Optional(fault.probability),
    attributes: Type.Optional(fault.attributes),
    match: Type.Optional(fault.match),
    skip: Type.Optional(fault.skip),
    times: fault.times,
    every: Type.Optional(fault.every),
    key: fault.key,
  },
  { description: 'A fault on a proxy.' },
)

const services = Type.Array(Type.String({ minLength: 1 }), {
  minItems: 2,
  expected: 'an array of at least two services',
})
const partition = partitionSpecSchema.properties

export const partitionStepSchema = Type.Object(
  {
    groups: partition.groups,
    cuts: partition.cuts,
    oneWay: Type.Optional(partition.oneWay),
    shape: Type.Optional(
      Type.Union(
        ['isolate', 'halves', 'bridge', 'majoritiesRing'].map((shape) => Type.Literal(shape)),
        {
          description:
            'Instead of groups and cuts, with services: one apart from the rest (the first), two halves, two halves ' +
            'that hear each other through the one in the middle, or each hears another majority (from five on).',
        },
      ),
    ),
    services: Type.Optional(services),
    mode: Type.Optional(partition.mode),
  },
  { description: 'Services that can not hear each other.' },
)

export const stressStepSchema = Type.Object(
  { kind: Type.String({ minLength: 1, description: 'A type of stressor, e.g. cpu.' }) },
  { ...free, description: 'A stressor on the machine of the target, with its attributes.' },
)

export const processStepSchema = Type.Object(
  { name: Type.Optional(Type.Unknown({ description: "The program's name, a pattern: the attribute command." })) },
  { ...free, description: 'Processes that die, hang or get slow, with the attributes of the stressor process.' },
)

export const containerStepSchema = Type.Object(
  { name: Type.Optional(Type.Unknown({ description: "The container's name or id: the attribute container." })) },
  { ...free, description: 'Containers that pause or end, with the attributes of the stressor container.' },
)

/** Of which a step has exactly one. */
export const actionNames = ['fault', 'partition', 'stress', 'process', 'container', 'load'] as const
export const groupNames = ['parallel', 'sequence'] as const

const steps = (description: string) =>
  Type.Optional(
    Type.Array(Type.Object({}, free), { minItems: 1, expected: 'an array of at least one step', description }),
  )

export const stepSchema = Type.Object({
  name: Type.Optional(Type.String({ minLength: 1, description: 'Stands in reports. Default: what it does.' })),
  at: Type.Optional(
    durationSchema(
      'From the begin of the phase, or of the group. Default: when the step before has ended; in parallel: 0s.',
    ),
  ),
  for: Type.Optional(durationSchema('How long. Default: until the end of the phase.')),
  ramp: Type.Optional(durationSchema('It grows to its full intensity in this time. Default: at once.')),
  rampFrom: Type.Optional(
    Type.Object(
      {
        attributes: Type.Optional(
          Type.Object({}, { ...free, description: 'Attributes of the fault that are numbers.' }),
        ),
        probability: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      },
      {
        description:
          'What a fault grows from. Default: 0 of what makes it hard, such as latency, or of its probability.',
      },
    ),
  ),
  fault: Type.Optional(faultStepSchema),
  partition: Type.Optional(partitionStepSchema),
  stress: Type.Optional(stressStepSchema),
  process: Type.Optional(processStepSchema),
  container: Type.Optional(containerStepSchema),
  load: Type.Optional(loadSchema),
  wait: Type.Optional(durationSchema('Does nothing for so long.')),
  parallel: steps('Steps that begin together, or each at its time.'),
  sequence: steps('Steps one after another.'),
})
