import type { Exchange } from './transparency.mjs'

export const exchanges: readonly Exchange[]
