// The error for a word that is not known: with the one that was most likely meant, and all that there are.
import { nearest } from '../proxy/nearest.ts'
import { UsageError } from './errors.ts'

/** @param what that is wrong, with the word in it: `unknown flag --jsn` */
export function unknownWord(what: string, word: string, known: readonly string[], help?: string): UsageError {
  const close = nearest(word, known)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  return new UsageError(`${what}${hint}, expected one of ${known.join(', ')}`, help === undefined ? {} : { help })
}
