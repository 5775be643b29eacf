// Runs what a command line asks for, and says by exit code and on stderr what went wrong.
import { isFaultlineError } from '../proxy/errors.ts'
import { commands } from './commands/registry.ts'
import { dispatch, runCommand } from './dispatch.ts'
import { CommandError, UsageError } from './errors.ts'
import { Output, printable, type TextStream } from './output.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

/** What a process has. */
export interface Host {
  readonly stdout: TextStream
  readonly stderr: TextStream
  readonly env: Readonly<Record<string, string | undefined>>
}

/** @returns the exit code */
export async function run(argv: readonly string[], { stdout, stderr, env }: Host): Promise<number> {
  const out = new Output(stdout, env)
  try {
    const request = await dispatch(commands, argv)
    if (request.kind === 'text') out.line(request.text)
    else await runCommand(request, { out, stderr, env, commands })
    return 0
  } catch (error) {
    return report(error, stderr)
  }
}

/** @returns the exit code */
function report(error: unknown, stderr: TextStream): number {
  if (error instanceof UsageError) {
    const help = error.help === undefined ? '' : `\nSee: ${error.help}`
    stderr.write(`faultline: ${printable(error.message)}${help}\n`)
    return EXIT_USAGE
  }
  const text = error instanceof CommandError ? linesOf(error).map(printable).join('\n') : stackOf(error)
  stderr.write(`faultline: ${text}\n`)
  return error instanceof CommandError ? error.exitCode : EXIT_FAILURE
}

/** Mistakes in a file have a line each. */
function linesOf({ message, cause }: CommandError): readonly string[] {
  return isFaultlineError(cause) && 'problems' in cause ? message.split('\n') : [message]
}

/** Of a bug, whoever reports it needs the place. */
function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
