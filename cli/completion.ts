// What a shell offers when Tab is pressed, from the commands' own definitions.
import { argumentOf, type Choices } from './arguments.ts'
import { expanded, helpFlag, type Command } from './command.ts'
import type { Flag } from './flags.ts'

export interface Candidate {
  readonly word: string
  readonly describe: string
}

/** `files`: whatever paths there are. */
export type Candidates = 'files' | readonly Candidate[]

/**
 * @param words behind the program's name; the last one is being typed, and may be empty
 */
export async function complete(
  commands: readonly Command[],
  words: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Candidates> {
  const typed = words.at(-1) ?? ''
  const before = words.slice(0, -1)
  const all = await expanded(commands, before[0] === 'help' ? before.slice(1) : before)
  const candidates = await candidatesFor(
    all.filter(({ kind }) => kind !== 'hidden'),
    before,
    typed,
    env,
  )
  return candidates === 'files' ? candidates : candidates.filter(({ word }) => word.startsWith(typed))
}

async function candidatesFor(
  commands: readonly Command[],
  before: readonly string[],
  typed: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Candidates> {
  const [first, second] = before
  if (first === undefined) return firstWords(commands)
  if (first === 'help') return helpWords(commands, before.slice(1))
  const group = commands.filter(({ name }) => name.startsWith(`${first} `))
  if (group.length > 0 && second === undefined) return group.map((command) => candidate(lastWord(command), command))
  const length = group.length > 0 ? 2 : 1
  const name = before.slice(0, length).join(' ')
  const command = commands.find((other) => other.name === name || other.alias === name)
  return command ? commandWords(command, before.slice(length), typed, env) : []
}

function firstWords(commands: readonly Command[]): Candidate[] {
  const byWord = new Map<string, Candidate>()
  for (const command of commands) {
    const [word = '', ...more] = command.name.split(' ')
    if (!byWord.has(word)) byWord.set(word, more.length === 0 ? candidate(word, command) : group(word, commands))
  }
  return [...byWord.values(), { word: 'help', describe: 'Shows the help of a command.' }]
}

function group(word: string, commands: readonly Command[]): Candidate {
  const members = commands.filter(({ name }) => name.startsWith(`${word} `)).map(lastWord)
  return { word, describe: `Commands: ${members.join(', ')}.` }
}

function helpWords(commands: readonly Command[], before: readonly string[]): Candidate[] {
  const [first] = before
  if (first === undefined) return firstWords(commands)
  const members = commands.filter(({ name }) => name.startsWith(`${first} `))
  return before.length === 1 ? members.map((command) => candidate(lastWord(command), command)) : []
}

async function commandWords(
  command: Command,
  before: readonly string[],
  typed: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Candidates> {
  const flags: Readonly<Record<string, Flag<unknown>>> = { ...command.flags, help: helpFlag }
  const { positionals, host, expecting } = readWords(flags, before)
  if (expecting) return valuesOf(expecting)
  const flagBefore = /^--[^=]+(?==)/.exec(typed)?.[0]
  if (flagBefore !== undefined) return withPrefix(`${flagBefore}=`, valuesOf(findFlag(flags, flagBefore)))
  if (typed.startsWith('-')) {
    return Object.entries(flags).map(([name, { describe }]) => ({ word: `--${name}`, describe }))
  }
  const choices = choicesAt(command, positionals.length)
  if (choices === 'files') return 'files'
  const names = (await choices?.({ env, host, before: positionals })) ?? []
  return names.map((word) => ({ word, describe: '' }))
}

interface ReadWords {
  readonly positionals: readonly string[]
  readonly host: string | undefined
  /** The flag whose value comes next. */
  readonly expecting: Flag<unknown> | undefined
}

function readWords(flags: Readonly<Record<string, Flag<unknown>>>, words: readonly string[]): ReadWords {
  const positionals: string[] = []
  let host: string | undefined
  let expecting: Flag<unknown> | undefined
  let previous = ''
  for (const word of words) {
    if (expecting) {
      if (previous === '--host') host = word
      expecting = undefined
    } else if (word.startsWith('-')) {
      const flag = findFlag(flags, word)
      if (flag?.placeholder !== undefined && !word.includes('=')) expecting = flag
      if (word.startsWith('--host=')) host = word.slice('--host='.length)
    } else positionals.push(word)
    previous = word
  }
  return { positionals, host, expecting }
}

function findFlag(flags: Readonly<Record<string, Flag<unknown>>>, word: string): Flag<unknown> | undefined {
  const found = Object.entries(flags).find(
    ([name, { short, alias }]) => word === `--${name}` || word === `--${alias}` || word === `-${short}`,
  )
  return found?.[1]
}

function valuesOf(flag: Flag<unknown> | undefined): Candidates {
  if (flag?.placeholder === 'FILE' || flag?.placeholder === 'DIR') return 'files'
  return (flag?.choices ?? []).map((word) => ({ word, describe: '' }))
}

/** As shells have it in words such as --direction=upstream. */
function withPrefix(prefix: string, candidates: Candidates): Candidates {
  if (candidates === 'files') return candidates
  return candidates.map(({ word, describe }) => ({ word: prefix + word, describe }))
}

/** Of the argument that so many others stand before. */
function choicesAt(command: Command, index: number): Choices | undefined {
  let rest = index
  for (const [name, definition] of Object.entries(command.arguments)) {
    const { takes, choices } = argumentOf(definition)
    if (rest < takes) return choices ?? (name === 'file' ? 'files' : undefined)
    rest -= takes
  }
  return undefined
}

function lastWord({ name }: Command): string {
  return name.slice(name.lastIndexOf(' ') + 1)
}

function candidate(word: string, { describe }: Command): Candidate {
  return { word, describe }
}
