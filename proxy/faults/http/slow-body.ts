// A body that trickles.
import { MAX_DELAY_MS } from '../../delay.ts'
import { givenOf, hasBody, phaseField } from './fields.ts'
import { defineHttpFault, invalidField, Schema } from './http-fault.ts'
import { RateStage, SpreadStage } from './pacing.ts'

const DEFAULT_RATE_BYTES_PER_SECOND = 1000

export const httpSlowBody = defineHttpFault({
  type: 'http_slow_body',
  describe: 'Sends the body of an answer or request slowly: at a rate, or in so many chunks evenly over a time.',
  schema: Schema.Object({
    phase: phaseField('response', "Whether the answer's body is slow, or the request's: a slow upload."),
    rateBytesPerSecond: Schema.Optional(
      Schema.Integer({
        minimum: 1,
        maximum: 10_000_000_000,
        description: 'Bytes of the body a second. Default 1000 without chunks.',
      }),
    ),
    chunks: Schema.Optional(
      Schema.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description:
          'With durationMs, in place of rateBytesPerSecond: how many pieces of the same size. Of a body without ' +
          'Content-Length the first bytes that arrive are so divided; what follows goes no later than with the last.',
      }),
    ),
    durationMs: Schema.Optional(
      Schema.Integer({
        minimum: 0,
        maximum: MAX_DELAY_MS,
        description: 'With chunks: from the first byte of the body to its last, in milliseconds.',
      }),
    ),
  }),
  create(attributes, environment) {
    const { phase, rateBytesPerSecond = DEFAULT_RATE_BYTES_PER_SECOND, chunks, durationMs } = attributes
    givenOf(attributes, ['rateBytesPerSecond', 'chunks'], environment)
    givenOf(attributes, ['rateBytesPerSecond', 'durationMs'], environment)
    if (chunks === undefined && durationMs === undefined) {
      return {
        phase,
        applies: hasBody,
        joins: phase === 'response',
        decide: () => ({ kind: 'stages', body: (context) => new RateStage({ rateBytesPerSecond }, context) }),
      }
    }
    if (chunks === undefined)
      throw invalidField(environment.field('chunks'), 'a number, as durationMs is given', chunks)
    if (durationMs === undefined) {
      throw invalidField(environment.field('durationMs'), 'a number, as chunks is given', durationMs)
    }
    return {
      phase,
      applies: hasBody,
      decide({ body, contentLength }) {
        const known = body === 'length' && { lengthBytes: contentLength }
        const spread = { pieces: chunks, time: { durationMs }, ...known }
        return { kind: 'stages', body: (context) => new SpreadStage(spread, context) }
      },
    }
  },
})
