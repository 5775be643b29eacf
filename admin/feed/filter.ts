// Which entries of the feed somebody wants, from the parameters of a request.
import { Type, type Static } from '@sinclair/typebox'
import { FaultlineError } from '../../proxy/index.ts'
import { nearest } from '../../proxy/nearest.ts'
import { describeValue } from '../../proxy/validate.ts'
import { optionalLimitSchema, proxySchema } from '../routes/query.ts'
import {
  defaultFeedTypes,
  feedPartOf,
  feedTypes,
  isFeedType,
  type FeedEntry,
  type FeedPart,
  type FeedRecord,
  type FeedType,
} from './entry.ts'

export const feedQuerySchema = Type.Object({
  types: Type.Optional(
    Type.String({
      description: `Only these, separated by commas: ${feedTypes.join(', ')}. Default: all but connection_….`,
    }),
  ),
  proxy: proxySchema,
  stressor: Type.Optional(Type.String({ description: 'Only of the stressor of this id or name.' })),
  experiment: Type.Optional(Type.String({ description: 'Only of the experiment of this id.' })),
  since: Type.Optional(
    Type.Integer({
      minimum: 0,
      description:
        'Only with a sequence above this one. Streams begin with what happens from now on if it is left out.',
    }),
  ),
  limit: optionalLimitSchema,
})

export type FeedQuery = Static<typeof feedQuerySchema>

export class FeedFilter {
  readonly #types: ReadonlySet<FeedType>
  readonly #proxy: string | undefined
  readonly #stressor: string | undefined
  readonly #experiment: string | undefined
  /** The parts of the feed that have what passes. */
  readonly parts: ReadonlySet<FeedPart>

  /** @throws FaultlineError for what is no type */
  constructor({ types, proxy, stressor, experiment }: Pick<FeedQuery, 'types' | 'proxy' | 'stressor' | 'experiment'>) {
    this.#types = types === undefined ? defaultFeedTypes : new Set(types.split(',').map(readType))
    this.#proxy = proxy
    this.#stressor = stressor
    this.#experiment = experiment
    this.parts = new Set([...this.#types].map(feedPartOf))
  }

  passes({ type, record }: FeedEntry): boolean {
    return (
      this.#types.has(type) && this.#isOfProxy(record) && this.#isOfStressor(record) && this.#isOfExperiment(record)
    )
  }

  #isOfExperiment(record: FeedRecord): boolean {
    return this.#experiment === undefined || ('detail' in record && record.detail['experiment'] === this.#experiment)
  }

  #isOfProxy(record: FeedRecord): boolean {
    return this.#proxy === undefined || ('proxy' in record && record.proxy === this.#proxy)
  }

  #isOfStressor(record: FeedRecord): boolean {
    if (this.#stressor === undefined) return true
    return 'stressor' in record && (record.stressor === this.#stressor || record.name === this.#stressor)
  }
}

function readType(text: string): FeedType {
  const type = text.trim()
  if (isFeedType(type)) return type
  const expected = `some of ${feedTypes.join(', ')}`
  const close = nearest(type, feedTypes)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const message = `types: unknown type ${describeValue(type)}${hint}, expected ${expected}`
  throw new FaultlineError('invalid_value', message, { field: 'types', expected })
}
