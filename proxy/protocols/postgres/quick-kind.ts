// The kind of a simple query without decoding it: most statements of a busy database are of kinds that no fault asks
// about. Measured with pgbench -S and a fault for another kind: it takes the fault's cost off nearly all of a query.
import type { StatementKind } from './sql.ts'
import { HEADER_BYTES } from './wire.ts'

/** Kinds that leave a transaction as it is. */
export const PLAIN_KINDS: ReadonlySet<StatementKind> = new Set(['select', 'insert', 'update', 'delete', 'merge'])

const WORDS = (['select', 'insert', 'update', 'delete'] as const).map((kind) => ({ kind, bytes: Buffer.from(kind) }))

const SPACE = 0x20
const SEMICOLON = 0x3b

/** @returns undefined if it takes a closer look: it begins with anything else, or there may be another statement in it */
export function quickKind(message: Buffer): StatementKind | undefined {
  for (const { kind, bytes } of WORDS) {
    if (!beginsWith(message, bytes)) continue
    const semicolon = message.indexOf(SEMICOLON, HEADER_BYTES)
    return semicolon < 0 || onlyBlanks(message, semicolon + 1) ? kind : undefined
  }
  return undefined
}

/** In any case, with a blank behind it. */
function beginsWith(message: Buffer, word: Buffer): boolean {
  for (let index = 0; index < word.length; index++) {
    if (((message[HEADER_BYTES + index] as number) | 0x20) !== word[index]) return false
  }
  return (message[HEADER_BYTES + word.length] as number) <= SPACE
}

/** Up to the zero byte at the end. */
function onlyBlanks(message: Buffer, from: number): boolean {
  for (let index = from; index < message.length; index++) if ((message[index] as number) > SPACE) return false
  return true
}
