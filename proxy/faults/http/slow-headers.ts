// A head that comes byte by byte: slowloris, from either side.
import { MAX_DELAY_MS } from '../../delay.ts'
import { givenOf, phaseField } from './fields.ts'
import { defineHttpFault, Schema } from './http-fault.ts'
import { SpreadStage } from './pacing.ts'

const DEFAULT_DELAY_MS = 100

export const httpSlowHeaders = defineHttpFault({
  type: 'http_slow_headers',
  describe: 'Sends the head of an answer or request byte by byte. The body follows at full speed.',
  schema: Schema.Object({
    phase: phaseField('response', "Whether the answer's head is slow, or the request's."),
    delayMs: Schema.Optional(
      Schema.Number({
        minimum: 0,
        maximum: MAX_DELAY_MS,
        description: 'Delay of each byte, in milliseconds. Default 100 without durationMs.',
      }),
    ),
    durationMs: Schema.Optional(
      Schema.Integer({
        minimum: 0,
        maximum: MAX_DELAY_MS,
        description: 'In place of delayMs: how long the whole head takes, in milliseconds.',
      }),
    ),
  }),
  create(attributes, environment) {
    givenOf(attributes, ['delayMs', 'durationMs'], environment)
    const { phase, durationMs, delayMs = DEFAULT_DELAY_MS } = attributes
    const time = durationMs === undefined ? { gapMs: delayMs } : { durationMs }
    return { phase, decide: () => ({ kind: 'stages', head: (context) => new SpreadStage({ time }, context) }) }
  },
})
