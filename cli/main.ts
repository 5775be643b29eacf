#!/usr/bin/env node
// The `faultline` program: runs what the command line asks for, and says by exit code and on stderr what went wrong.
import { commands } from './commands/registry.ts'
import { dispatch, runCommand } from './dispatch.ts'
import { CommandError, UsageError } from './errors.ts'
import { Output, printable } from './output.ts'

const EXIT_FAILURE = 1
const EXIT_USAGE = 2

/** @returns the exit code */
async function main(argv: readonly string[]): Promise<number> {
  const { env } = process
  const out = new Output(process.stdout, env)
  try {
    const request = await dispatch(commands, argv)
    if (request.kind === 'text') out.line(request.text)
    else await runCommand(request, { out, env })
    return 0
  } catch (error) {
    return report(error)
  }
}

/** @returns the exit code */
function report(error: unknown): number {
  if (error instanceof UsageError) {
    const help = error.help === undefined ? '' : `\nSee: ${error.help}`
    process.stderr.write(`faultline: ${printable(error.message)}${help}\n`)
    return EXIT_USAGE
  }
  const text = error instanceof CommandError ? printable(error.message) : stackOf(error)
  process.stderr.write(`faultline: ${text}\n`)
  return EXIT_FAILURE
}

/** Of a bug, whoever reports it needs the place. */
function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

// `faultline list | head -1`: a reader that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

// Not process.exit(): a long answer may still be on its way into a pipe.
process.exitCode = await main(process.argv.slice(2))
