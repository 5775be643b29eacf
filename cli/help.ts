// Help texts, made from the commands' own descriptions, so that they can't drift from what the commands do.
import { argumentOf } from './arguments.ts'
import { helpFlag, type Command } from './command.ts'
import type { Flag } from './flags.ts'

type Row = readonly [left: string, right: string]

/** `faultline help`: all commands. */
export function overview(commands: readonly Command[]): string {
  return lines([
    'Usage: faultline COMMAND [flags]',
    '',
    'Puts network faults between services: a proxy server that replaces Toxiproxy, and the commands to drive it.',
    '',
    'Commands:',
    ...columns([
      ...commands.filter(({ kind }) => kind === undefined).map(commandRow),
      ['help [COMMAND]', 'Shows the help of a command.'],
    ]),
    '',
    "Commands of Toxiproxy's CLI, which work with its server, too:",
    ...columns(commands.filter(({ kind }) => kind === 'toxiproxy').map(commandRow)),
    '',
    'Flags:',
    ...columns([
      ['--version', 'Shows the version.'],
      ['-h, --help', 'Shows this help; behind a command, its help.'],
    ]),
  ])
}

/** `faultline help toxic`: the commands of a group. */
export function groupHelp(group: string, commands: readonly Command[]): string {
  return lines([`Usage: faultline ${group} COMMAND [flags]`, '', 'Commands:', ...columns(commands.map(commandRow))])
}

/** `faultline help create`: everything about a command. */
export async function commandHelp(command: Command): Promise<string> {
  const flags = Object.entries<Flag<unknown>>({ ...command.flags, help: helpFlag })
  const inUsage = flags.filter(([, flag]) => flag.required).map(([name, flag]) => `--${name} ${flag.placeholder}`)
  const argumentRows = Object.entries(command.arguments).map(([name, definition]): Row => [
    name.toUpperCase(),
    capitalised(argumentOf(definition).describe),
  ])
  const notes = [
    ...(command.alias === undefined ? [] : [`Also: faultline ${command.alias}`]),
    ...(command.flagStyle === 'one-or-two-dashes' ? ['Flags may have one dash or two: -port 8474, --port=8474.'] : []),
  ]
  return lines([
    ['Usage: faultline', synopsis(command), ...inUsage, '[flags]'].join(' '),
    '',
    command.describe,
    ...section('Arguments:', columns(argumentRows)),
    ...section('Flags:', columns(flags.map(flagRow))),
    ...section('Example:', [`  faultline ${command.example}`]),
    ...section(notes.join('\n'), []),
    ...section((await command.notes?.()) ?? '', []),
  ])
}

function commandRow(command: Command): Row {
  return [synopsis(command), command.describe]
}

/** Name and arguments. */
function synopsis(command: Command): string {
  const words = Object.entries(command.arguments).map(([name, definition]) =>
    argumentOf(definition).synopsis(name.toUpperCase()),
  )
  return [command.name, ...words].join(' ')
}

function flagRow([name, flag]: [string, Flag<unknown>]): Row {
  const short = flag.short === undefined ? '    ' : `-${flag.short}, `
  const value = flag.placeholder === undefined ? '' : ` ${flag.placeholder}`
  const remarks = [flag.remark, flag.alias === undefined ? undefined : `also --${flag.alias}`]
    .filter(Boolean)
    .join('; ')
  return [`${short}--${name}${value}`, remarks === '' ? flag.describe : `${flag.describe} (${remarks})`]
}

function section(heading: string, content: readonly string[]): string[] {
  return heading === '' || (heading.endsWith(':') && content.length === 0) ? [] : ['', heading, ...content]
}

function columns(rows: readonly Row[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)
}

/** Of a description, where there is room for no more. */
export function firstSentence(text: string): string {
  return /^.*?\.(?= [A-Z])/s.exec(text)?.[0] ?? text
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function lines(all: readonly string[]): string {
  return all.join('\n')
}
