// The log of `faultline serve` on stdout: JSON lines, on a terminal lines for people; as many as LOG_LEVEL lets through.
import type { DestinationStream, Logger } from 'pino'
import type { Surroundings } from './command.ts'
import { readText, type Reader } from './flags.ts'
import type { Output } from './output.ts'

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
export async function createLogger(out: Output, env: Surroundings['env']): Promise<Logger> {
  const levelName = readText(level, env['LOG_LEVEL'] || 'info', 'LOG_LEVEL')
  const { pino } = await import('pino') // only the server logs; all commands import this file
  const options = {
    level: levelName,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  // Not sync: a reader of the log that stops reading must not stop the proxies. What is buffered is written on exit.
  const stdout = pino.destination({ dest: 1, sync: false, maxLength: MAX_BUFFERED_BYTES })
  return pino(options, out.isScreen ? await prettyLines(stdout, out.isColoured) : stdout)
}

/** `14:03:59.123 INFO: faultline started {"port":8474}`, the time as where the terminal is. */
async function prettyLines(destination: DestinationStream, colorize: boolean): Promise<DestinationStream> {
  const { default: pretty } = await import('pino-pretty')
  return pretty({
    destination,
    colorize,
    singleLine: true,
    translateTime: 'SYS:HH:MM:ss.l',
    levelKey: 'level',
    // Names of the levels are labels here, not numbers.
    ignore: 'reqId',
  })
}
