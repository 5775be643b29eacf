import { plural } from '../figures.ts'
import { total } from './facts.ts'
import type { HintRule } from './hint.ts'

export const attemptsPileUp: HintRule = {
  name: 'attempts-pile-up',
  about: ['errors', 'latency'],
  cause: 'Requests piled up: so many were without an answer that further ones were not even started.',
  next: [
    'Shed load: answer at once with an error when too much is under way.',
    'Repeat with a shorter fault, to see from which length on the service does not keep up.',
  ],
  evidence({ journal }) {
    const { dropped, attempts } = total(journal.seconds)
    return dropped === 0 ? [] : [`${dropped} of ${plural(attempts, 'attempt')} were dropped`]
  },
}
