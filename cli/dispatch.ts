// Finds what a command line asks for: a command, a help text or the version.
import { version } from '../proxy/version.ts'
import { expanded, readCommandLine, type Command, type Surroundings } from './command.ts'
import { UsageError } from './errors.ts'
import { commandHelp, groupHelp, overview } from './help.ts'
import { unknownWord } from './suggest.ts'

export interface TextRequest {
  readonly kind: 'text'
  readonly text: string
}

export interface CommandRequest {
  readonly kind: 'command'
  readonly command: Command
  readonly values: Readonly<Record<string, unknown>>
}

const HELP = 'faultline help'

/** @throws UsageError */
export async function dispatch(
  all: readonly Command[],
  argv: readonly string[],
): Promise<TextRequest | CommandRequest> {
  const { leading, words } = splitLeadingFlags(argv)
  const [first, ...rest] = words
  const commands = await expanded(all, first === 'help' ? rest : words)
  if (first === undefined) throw new UsageError('missing a command', { help: HELP })
  if (leading.length === 0) {
    if (first === '--help' || first === '-h') return textRequest(overview(commands))
    if (first === '--version') return textRequest(`faultline ${version}`)
    if (first === 'help') return textRequest(await helpFor(commands, rest))
  }
  if (first.startsWith('-')) throw new UsageError(`unknown flag ${first}, expected a command`, { help: HELP })
  const group = groupOf(commands, first)
  if (group.length > 0 && (rest[0] === '--help' || rest[0] === '-h')) return textRequest(groupHelp(first, group))
  if (group.length > 0 && rest.length === 0) throw missingCommand(first, group)
  const { command, argumentsOfIt } = findCommand(commands, words)
  try {
    const values = readCommandLine(command, [...leading, ...argumentsOfIt])
    return values === 'help' ? textRequest(await commandHelp(command)) : { kind: 'command', command, values }
  } catch (error) {
    throw withHelp(error, command)
  }
}

/** Runs a command. @throws UsageError and CommandError */
export async function runCommand({ command, values }: CommandRequest, surroundings: Surroundings): Promise<void> {
  try {
    await command.run(values, surroundings)
  } catch (error) {
    throw withHelp(error, command)
  }
}

/** Whoever got a command wrong is shown to its help. */
function withHelp(error: unknown, command: Command): unknown {
  if (!(error instanceof UsageError)) return error
  return new UsageError(error.message, { help: `${HELP} ${command.name}`, cause: error })
}

function textRequest(text: string): TextRequest {
  return { kind: 'text', text }
}

/** --host and --json may stand before the command, too, where Toxiproxy's CLI wants them. */
function splitLeadingFlags(argv: readonly string[]): { leading: readonly string[]; words: readonly string[] } {
  let count = 0
  for (let argument = argv[count]; argument !== undefined; argument = argv[count]) {
    if (argument === '--host') count += 2
    else if (argument === '--json' || argument.startsWith('--host=')) count += 1
    else break
  }
  return { leading: argv.slice(0, count), words: argv.slice(count) }
}

async function helpFor(commands: readonly Command[], words: readonly string[]): Promise<string> {
  const [first] = words
  if (first === undefined) return overview(commands)
  const group = groupOf(commands, first)
  if (group.length > 0 && words.length === 1) return groupHelp(first, group)
  const { command } = findCommand(commands, words)
  return commandHelp(command)
}

/** The commands whose names begin with this word and have another. */
function groupOf(commands: readonly Command[], word: string): Command[] {
  return commands.filter((command) => command.name.startsWith(`${word} `))
}

interface Found {
  readonly command: Command
  readonly argumentsOfIt: readonly string[]
}

function findCommand(commands: readonly Command[], words: readonly string[]): Found {
  const inGroup = groupOf(commands, words[0] ?? '').length > 0
  const length = inGroup ? 2 : 1
  const name = words.slice(0, length).join(' ')
  const command = commands.find((candidate) => candidate.name === name || candidate.alias === name)
  if (command) return { command, argumentsOfIt: words.slice(length) }
  const visible = commands.filter(({ kind }) => kind !== 'hidden')
  const known = (inGroup ? groupOf(visible, words[0] ?? '') : visible).map((candidate) => candidate.name)
  const help = inGroup ? `${HELP} ${words[0]}` : HELP
  throw unknownWord(`unknown command ${JSON.stringify(name)}`, name, known, help)
}

function missingCommand(word: string, group: readonly Command[]): UsageError {
  const known = group.map((command) => command.name)
  return new UsageError(`${word}: missing a command, expected one of ${known.join(', ')}`, { help: `${HELP} ${word}` })
}
