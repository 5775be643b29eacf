import { formatShare } from '../figures.ts'
import { badShare } from './facts.ts'
import type { HintRule } from './hint.ts'

const MANY = 0.05
const HARDLY_ANY = 0.01

export const oneProbe: HintRule = {
  name: 'one-probe',
  about: ['errors'],
  cause: 'Only a part of the service is hit; the rest keeps working beside it.',
  next: [
    'Look at what that part alone depends on, and whether its users have another way.',
    'Repeat with that probe alone, at a higher rate, for narrower figures.',
  ],
  evidence({ changes }) {
    const shares = changes.map(({ probe, failure }) => ({ probe, share: badShare([failure]) ?? 0 }))
    const hit = shares.filter(({ share }) => share >= MANY)
    const fine = shares.filter(({ share }) => share <= HARDLY_ANY)
    const [only] = hit
    if (only === undefined || hit.length > 1 || fine.length === 0 || fine.length + 1 < shares.length) return []
    const others = fine.map(({ probe, share }) => `${probe} ${formatShare(share)}`).join(', ')
    return [`not good under the faults: ${only.probe} ${formatShare(only.share)}, ${others}`]
  },
}
