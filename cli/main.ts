#!/usr/bin/env node
// The `faultline` program.
import { run } from './run.ts'

// `faultline list | head -1`: a reader that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

// Not process.exit(): a long answer may still be on its way into a pipe.
process.exitCode = await run(process.argv.slice(2), process)
