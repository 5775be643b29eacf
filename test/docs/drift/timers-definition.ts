import { Type } from '@sinclair/typebox'
import { defineStressor } from '../../../resource-stressors/definition.ts'
import type { TimersTask } from './timers-load.ts'

export const timers = defineStressor<{ readonly count: number }, TimersTask>({
  type: 'timers',
  describe: 'Keeps so many timers of a millisecond running.',
  schema: Type.Object({
    count: Type.Integer({ minimum: 1, maximum: 10_000, description: 'How many timers.' }),
  }),
  // What it comes to on this machine; changes nothing, and is all that a dry run shows.
  plan: ({ count }) => ({ requested: { timers: count }, notes: [], task: { count } }),
})
