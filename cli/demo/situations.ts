// The five situations that `faultline demo --script` plays: what is broken, and what has to be seen then.
import type { V1Client } from '../../admin/client/v1-client.ts'
import { PATIENCE_MS } from './orders.ts'
import { failures, type Seen } from './tally.ts'
import { DATABASE, PAYMENTS } from './world.ts'

/** What a situation is judged by. */
export interface Outcome {
  readonly seen: Seen
  /** How many orders more there are in Postgres. Undefined: there is no Postgres. */
  readonly stored: number | undefined
}

/** Something that has to be so, in words that are true if it is. */
export interface Claim {
  readonly text: string
  readonly needsDatabase?: boolean
  holds(outcome: Outcome): boolean
}

export interface Situation {
  readonly title: string
  /** What follows the program's name to break the same by hand. Undefined: nothing is broken. */
  readonly command?: string
  readonly needsDatabase?: boolean
  readonly claims: readonly Claim[]
  break(client: V1Client): Promise<unknown>
}

const LATENCY_MS = 200

const noErrors: Claim = { text: 'no order fails', holds: ({ seen }) => seen.placed > 0 && failures(seen) === 0 }

/** `failOnlyBy('payments: HTTP 503')`: some fail, and all of those for this reason. */
function failOnlyBy(reason: string): Claim {
  return {
    text: `all that fail do by ${reason}`,
    holds: ({ seen }) => [...seen.failed.keys()].join() === reason,
  }
}

const storedAsTold: Claim = {
  text: 'Postgres holds exactly the orders that were placed',
  needsDatabase: true,
  holds: ({ seen, stored }) => stored === seen.placed,
}

/** @param services what the shop uses, by the names that partitions know them by */
export const situations = (services: readonly string[]): readonly Situation[] => [
  {
    title: 'Nothing is wrong',
    claims: [noErrors, storedAsTold],
    break: async () => undefined,
  },
  {
    title: `Payments answers ${LATENCY_MS} ms late`,
    command: `fault add ${PAYMENTS} latency latency=${LATENCY_MS}`,
    claims: [
      noErrors,
      { text: `p95 is at least ${LATENCY_MS} ms`, holds: ({ seen }) => (seen.p95Ms ?? 0) >= LATENCY_MS },
    ],
    break: (client) => client.addFault(PAYMENTS, { type: 'latency', attributes: { latency: LATENCY_MS } }),
  },
  {
    title: 'Every second payment fails',
    command: `fault add ${PAYMENTS} http_abort status=503 --every 2`,
    claims: [
      {
        text: 'half of the orders fail',
        // Whether the last one is the second of a pair is all that is open.
        holds: ({ seen }) => seen.placed > 0 && Math.abs(seen.placed - failures(seen)) <= 1,
      },
      failOnlyBy('payments: HTTP 503'),
      storedAsTold,
    ],
    break: (client) => client.addFault(PAYMENTS, { type: 'http_abort', attributes: { status: 503 }, every: 2 }),
  },
  {
    title: 'Half of the commits cannot be serialized',
    command: `fault add ${DATABASE} pg_error code=40001 at=commit --probability 0.5`,
    needsDatabase: true,
    claims: [failOnlyBy('database: SQLSTATE 40001'), storedAsTold],
    break: (client) =>
      client.addFault(DATABASE, {
        type: 'pg_error',
        attributes: { code: '40001', at: 'commit' },
        probability: 0.5,
      }),
  },
  {
    title: 'The network between the shop and its services is cut',
    command: `partition add shop / ${services.join(',')}`,
    claims: [
      { text: 'no order goes through', holds: ({ seen }) => seen.placed === 0 },
      failOnlyBy(`payments: no answer in ${PATIENCE_MS / 1000} s`),
    ],
    break: (client) => client.addPartition({ groups: [['shop'], services] }),
  },
]

/** Plays behind the last one. */
export const healed: Situation = {
  title: 'Everything is healed',
  command: 'heal',
  claims: [noErrors],
  break: (client) => client.heal(),
}
