// What a command is, and how a command line becomes its values. Types of flags are in flags.ts, help text in help.ts.
import { parseArgs } from 'node:util'
import { argumentOf, type Argument } from './arguments.ts'
import { UsageError } from './errors.ts'
import { toggle, type Flag } from './flags.ts'
import type { Output, TextStream } from './output.ts'
import { unknownWord } from './suggest.ts'

export type FlagTable = Readonly<Record<string, Flag<unknown>>>

/** By name, which help shows in capitals, and in the order in which they are typed. */
export type ArgumentTable = Readonly<Record<string, string | Argument<unknown>>>

/** What a command works with, beside its flags and arguments. */
export interface Surroundings {
  readonly out: Output
  /** For what must not get among the output. */
  readonly stderr: TextStream
  /** All that there are. */
  readonly commands: readonly Command[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** How flags are written: `--flag`, or as Go programs have it with one dash or two. */
export type FlagStyle = 'two-dashes' | 'one-or-two-dashes'

export interface CommandDefinition<Flags extends FlagTable, Arguments extends ArgumentTable> {
  /** One word, or a group and a word: `toxic add`. */
  readonly name: string
  readonly alias?: string
  /** `toxiproxy`: as in Toxiproxy's CLI, over its API. `hidden`: for programs, help does not list it. */
  readonly kind?: 'toxiproxy' | 'hidden'
  readonly describe: string
  readonly arguments: Arguments
  readonly flags: Flags
  readonly flagStyle?: FlagStyle
  /** What follows the program's name in the example. */
  readonly example: string
  /** Closes the help text. */
  readonly notes?: () => Promise<string>
  run(values: CommandValues<Flags, Arguments>, surroundings: Surroundings): Promise<void>
}

export type FlagValues<Flags extends FlagTable> = {
  readonly [Name in keyof Flags]: Flags[Name] extends Flag<infer Value> ? Value : never
}

export type CommandValues<Flags extends FlagTable, Arguments extends ArgumentTable> = FlagValues<Flags> & {
  readonly [Name in keyof Arguments]: Arguments[Name] extends Argument<infer Value> ? Value : string
}

/** A command as the dispatcher sees it. */
export type Command = Omit<CommandDefinition<FlagTable, ArgumentTable>, 'run'> & {
  /** The commands that this one stands for, in its group: they load slowly. It is none itself, but for lists. */
  readonly expand?: () => Promise<readonly Command[]>
  run(values: Readonly<Record<string, unknown>>, surroundings: Surroundings): Promise<void>
}

export function defineCommand<const Flags extends FlagTable, const Arguments extends ArgumentTable>(
  definition: CommandDefinition<Flags, Arguments>,
): Command {
  return {
    ...definition,
    run: (values, surroundings) => definition.run(values as CommandValues<Flags, Arguments>, surroundings),
  }
}

/**
 * The commands with those in place that others stand for, if the words need them: the first ones of a command line, or
 * behind `help`.
 */
export async function expanded(
  commands: readonly Command[],
  [group, word]: readonly string[],
): Promise<readonly Command[]> {
  const isThere = commands.some(({ name, expand }) => name === `${group} ${word}` && !expand)
  if (group === undefined || isThere) return commands
  const all: Command[] = []
  for (const command of commands) {
    const members = command.name.startsWith(`${group} `) ? await command.expand?.() : undefined
    all.push(...(members ?? [command]))
  }
  return all
}

/** Every command has it. */
export const helpFlag = toggle({ short: 'h', describe: 'Shows this help.' })

/**
 * Reads what follows a command's name.
 *
 * @returns the values of flags and arguments, or `help` if that was asked for
 * @throws UsageError for the first thing that is wrong
 */
export function readCommandLine(command: Command, argv: readonly string[]): Readonly<Record<string, unknown>> | 'help' {
  const { given, positionals } = collect(command, argv)
  if (given.has('help')) return 'help'
  const values = readArguments(command, positionals)
  for (const [name, flag] of Object.entries(command.flags)) values[name] = flag.read(given.get(name) ?? [], `--${name}`)
  return values
}

interface Collected {
  /** What was given for each flag, by its long name. */
  readonly given: ReadonlyMap<string, readonly string[]>
  readonly positionals: readonly string[]
}

function collect(command: Command, argv: readonly string[]): Collected {
  const flags: FlagTable = { ...command.flags, help: helpFlag }
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  // Not strict: the errors below say more than parseArgs' own.
  const args = command.flagStyle === 'one-or-two-dashes' ? argv.map(doubleDash) : [...argv]
  const { tokens } = parseArgs({ args, options: optionsOf(flags), strict: false, tokens: true, allowPositionals: true })
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const name = nameOf(token.name, flags)
    const flag = name === undefined ? undefined : flags[name]
    if (name === undefined || flag === undefined) throw unknownFlag(token.rawName, flags)
    const texts = given.get(name) ?? []
    texts.push(readToken(token, name, flag))
    given.set(name, texts)
  }
  return { given, positionals }
}

/** `-port` to `--port`; not `-h`, and not `-5`. */
function doubleDash(argument: string): string {
  return /^-[a-z]{2}/i.test(argument) ? `-${argument}` : argument
}

type ParseOptions = Record<string, { type: 'string' | 'boolean'; short?: string }>

function optionsOf(flags: FlagTable): ParseOptions {
  const options: ParseOptions = {}
  for (const [name, { placeholder, short, alias }] of Object.entries(flags)) {
    const type = placeholder === undefined ? 'boolean' : 'string'
    options[name] = short === undefined ? { type } : { type, short }
    if (alias !== undefined) options[alias] = { type }
  }
  return options
}

/** The long name of a flag that was given by it or by its alias. */
function nameOf(name: string, flags: FlagTable): string | undefined {
  if (Object.hasOwn(flags, name)) return name
  return Object.keys(flags).find((candidate) => flags[candidate]?.alias === name)
}

interface OptionToken {
  readonly rawName: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

function readToken({ rawName, value, inlineValue }: OptionToken, name: string, flag: Flag<unknown>): string {
  if (flag.placeholder === undefined) return value ?? 'true'
  if (value === undefined) throw new UsageError(`--${name}: missing its value, expected ${flag.placeholder}`)
  if (inlineValue) return rawName.startsWith('--') ? value : value.replace(/^=/, '') // -n=x, as Go's programs have it
  if (/^-[^\d.]/.test(value)) {
    const message = `--${name}: expected ${flag.placeholder}, got the flag ${value} (a value like that is written --${name}=${value})`
    throw new UsageError(message)
  }
  return value
}

function unknownFlag(rawName: string, flags: FlagTable): UsageError {
  const known = Object.keys(flags).map((name) => `--${name}`)
  return unknownWord(`unknown flag ${rawName}`, `--${rawName.replace(/^-+/, '')}`, known)
}

function readArguments(command: Command, positionals: readonly string[]): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  let rest = positionals
  for (const [name, definition] of Object.entries(command.arguments)) {
    const argument = argumentOf(definition)
    values[name] = argument.read(rest.slice(0, argument.takes), name.toUpperCase())
    rest = rest.slice(argument.takes)
  }
  const [surplus] = rest
  if (surplus === undefined) return values
  const names = Object.keys(command.arguments)
  const expected = names.length === 0 ? 'none' : names.join(' ').toUpperCase()
  throw new UsageError(`unexpected argument ${JSON.stringify(surplus)}, expected ${expected}`)
}
