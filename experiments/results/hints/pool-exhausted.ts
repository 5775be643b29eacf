import { plural } from '../figures.ts'
import { reasonCounts } from './facts.ts'
import type { HintRule } from './hint.ts'

/** Words of connection pools, of Postgres (SQLSTATE 53300) and MySQL, and of a system without free sockets. */
const WORDS = /\bpool\b|too many (clients|connections)|53300|connection slots|E[MN]FILE|EADDRNOTAVAIL|max.*connections/i

export const poolExhausted: HintRule = {
  name: 'pool-exhausted',
  about: ['errors', 'latency', 'recovery'],
  cause: 'A pool of connections was exhausted: slow calls kept theirs, and none was left for the others.',
  next: [
    'Bound the wait for a connection, and the time that a call may keep one; separate the pools of separate dependencies.',
    'Run the scenario “connection exhaustion” on its own, at the rate of this experiment.',
  ],
  evidence({ journal }) {
    return reasonCounts(journal)
      .filter(([reason]) => WORDS.test(reason))
      .map(([reason, count]) => `${plural(count, 'attempt')} failed with “${reason}”`)
  },
}
