import type { HintRule } from './hint.ts'

/** By the names that samples have. */
const limits: Readonly<Record<string, { readonly limit: number; readonly text: string }>> = {
  cpu: { limit: 0.9, text: 'CPU at 90 %' },
  memory: { limit: 0.95, text: 'memory at 95 %' },
  eventLoopLagMs: { limit: 20, text: 'timers of the runner 20 ms late' },
}

/** Of the samples: a short peak is no sign. */
const OFTEN = 0.2

export const machineBusy: HintRule = {
  name: 'machine-busy',
  about: ['latency', 'errors'],
  cause: 'The machine that measured was busy itself: a part of the latency may be its own.',
  next: ['Run the experiment from another machine than the one under stress, or at a lower rate, and compare.'],
  evidence({ journal: { machine } }) {
    return Object.entries(limits).flatMap(([key, { limit, text }]) => {
      const samples = machine.flatMap(({ [key]: value }) => (value === undefined ? [] : [value]))
      const busy = samples.filter((value) => value >= limit).length
      if (busy === 0 || busy / samples.length < OFTEN) return []
      return [`${text} or more in ${busy} of ${samples.length} samples`]
    })
  },
}
