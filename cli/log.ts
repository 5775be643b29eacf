// The log of `faultline serve`: JSON lines on stdout, as many as LOG_LEVEL lets through.
import { pino, type Logger } from 'pino'
import type { Surroundings } from './command.ts'
import { readText, type Reader } from './flags.ts'

/** Toxiproxy's names of levels, and pino's for the same. */
const levels: Readonly<Record<string, string>> = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
  fatal: 'fatal',
  panic: 'fatal',
  disabled: 'silent',
}

/** What LOG_LEVEL may be. */
export const logLevels = Object.keys(levels)

const level: Reader<string> = {
  placeholder: 'LEVEL',
  expected: `one of ${logLevels.join(', ')}`,
  read: (given) => {
    const name = given.toLowerCase()
    return Object.hasOwn(levels, name) ? levels[name] : undefined
  },
}

/** A log that nobody reads must not grow without end: beyond this, lines are dropped. */
const MAX_BUFFERED_BYTES = 16 * 1024 * 1024

/** @throws UsageError for a LOG_LEVEL that there is not */
export function createLogger(env: Surroundings['env']): Logger {
  const options = {
    level: readText(level, env['LOG_LEVEL'] || 'info', 'LOG_LEVEL'),
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  // Not sync: a reader of the log that stops reading must not stop the proxies. What is buffered is written on exit.
  return pino(options, pino.destination({ dest: 1, sync: false, maxLength: MAX_BUFFERED_BYTES }))
}
