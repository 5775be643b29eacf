// What an argument is: a word of a command line that no flag leads to. Reading a command line is command.ts.
import { UsageError } from './errors.ts'

/** What is known when a word is to be completed. */
export interface CompletionContext {
  readonly env: Readonly<Record<string, string | undefined>>
  /** What --host says, if it has been typed. */
  readonly host: string | undefined
  /** The command's arguments before the word. */
  readonly before: readonly string[]
}

/** What a word may be, for completion; `files`: a path. */
export type Choices = 'files' | ((context: CompletionContext) => Promise<readonly string[]>)

export interface Argument<Value> {
  /** What it is, in words: "expected …". */
  readonly describe: string
  /** How many words it is at most. */
  readonly takes: number
  /** How help shows it. */
  synopsis(name: string): string
  readonly choices?: Choices | undefined
  /** @param words none to {@link Argument.takes} */
  read(words: readonly string[], name: string): Value
}

interface ArgumentOptions {
  readonly choices?: Choices
}

/** One word that has to be there. */
export function argument(describe: string, { choices }: ArgumentOptions = {}): Argument<string> {
  return {
    describe,
    takes: 1,
    synopsis: (name) => name,
    choices,
    read: ([word], name) => {
      if (word !== undefined && word !== '') return word
      throw new UsageError(`${name}: missing, expected ${describe}`)
    },
  }
}

/** One word that may be left out. */
export function optionalArgument(describe: string, options: ArgumentOptions = {}): Argument<string | undefined> {
  const present = argument(describe, options)
  return {
    ...present,
    synopsis: (name) => `[${name}]`,
    read: (words, name) => (words.length === 0 ? undefined : present.read(words, name)),
  }
}

/** All words that are left; behind it there can be no other. */
export function remainingArguments(describe: string, { choices }: ArgumentOptions = {}): Argument<readonly string[]> {
  return { describe, takes: Infinity, synopsis: (name) => `[${name} ...]`, choices, read: (words) => words }
}

/** Most are one word that has to be there: a text is short for that. */
export function argumentOf(definition: string | Argument<unknown>): Argument<unknown> {
  return typeof definition === 'string' ? argument(definition) : definition
}
