// What our own API shows of stressors, each with its schema.
import { Type, type Static } from '@sinclair/typebox'
import { stressorEnds, type Stressor } from '../../resource-stressors/index.ts'

/** Each type has its own. */
const figures = (description: string) => Type.Record(Type.String(), Type.Number(), { description })

const object = { additionalProperties: true }
const nullable = (description: string) => Type.Union([Type.Integer(), Type.Null()], { description })

export const stressorSchema = Type.Object({
  id: Type.String({ description: 'Of a dry run: none that is there has it.' }),
  name: Type.String({ description: 'Unique among those that are there.' }),
  type: Type.String(),
  state: Type.Union(
    ['planned', 'starting', 'running', 'stopping', 'stopped'].map((state) => Type.Literal(state)),
    {
      description: 'planned: a dry run, of which nothing is kept.',
    },
  ),
  attributes: Type.Object({}, object),
  requested: figures('What it tries to reach in the end, each number with its unit in the name, e.g. cpuCores.'),
  requestedNow: figures('What it is after at the moment: less while it ramps up. Empty before its first report.'),
  achieved: figures('What it has by its last report, one a second.'),
  notes: Type.Array(Type.String(), {
    description: 'What should be known of these numbers, e.g. that they were capped.',
  }),
  reason: Type.Union([...stressorEnds.map((end) => Type.Literal(end)), Type.Null()], {
    description: 'Why it has ended, or is ending; null: it goes on.',
  }),
  threads: Type.Integer({ description: 'How many compute.' }),
  pid: nullable('The process that it acts in.'),
  startedMs: Type.Union([Type.Number(), Type.Null()], {
    description: 'When it began to act, in milliseconds since the Unix epoch.',
  }),
  ttlMs: Type.Integer({ description: 'Its time to live.' }),
  remainingMs: nullable('What is left of its time to live; null before it acts.'),
  rampUpMs: Type.Integer({ description: 'The time in which it comes to its full height.' }),
  lease: Type.Union([Type.String(), Type.Null()], { description: 'The id of the lease that it ends with.' }),
})

export const stressorListSchema = Type.Object({ stressors: Type.Array(stressorSchema) })

export type StressorView = Static<typeof stressorSchema>

export function viewStressor(stressor: Stressor): StressorView {
  const { id, name, type, state, attributes, requested, requestedNow, achieved, notes } = stressor
  const { reason = null, threads, pid = null, startedMs = null, ttlMs, remainingMs, rampUpMs, lease = null } = stressor
  return {
    id,
    name,
    type,
    state,
    attributes,
    requested,
    requestedNow,
    achieved,
    notes: [...notes],
    reason,
    threads,
    pid,
    startedMs,
    ttlMs,
    remainingMs: remainingMs === undefined ? null : Math.ceil(remainingMs),
    rampUpMs,
    lease,
  }
}
