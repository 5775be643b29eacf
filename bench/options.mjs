// The command line of the bench: flags, defaults and the messages for bad ones.

import { parseArgs } from 'node:util'

/**
 * @typedef {object} Options
 * @property {number} rounds interleaved rounds a scenario
 * @property {number} seconds length of one load measurement
 * @property {number} accuracySeconds length of one latency or bandwidth measurement
 * @property {number} idleConnections connections held open by the idle scenario
 * @property {string[] | null} only scenarios to run, null for all
 * @property {string[] | null} targets targets to measure, null for all
 * @property {boolean} json print machine-readable JSON instead of tables
 */

export const usage = `usage: node bench/main.mjs [options]

  --rounds N             interleaved rounds a scenario (default 5; fewer is for trying things out)
  --seconds N            length of one load measurement, whole seconds (default 2)
  --accuracy-seconds N   length of one latency or bandwidth measurement (default 5)
  --idle-connections N   connections the idle scenario holds (default 5000)
  --only a,b             scenarios: requests, bulk, connections, http, postgres, idle, latency,
                         bandwidth, transparency
  --targets a,b          direct, faultline, faultline+latency0, faultline-http, faultline-http+rule,
                         faultline-postgres, faultline-postgres+rule, naive, haproxy, haproxy-http,
                         toxiproxy, http-proxy, pgbouncer, pgbouncer-transaction
  --json                 JSON on stdout, nothing else there (progress goes to stderr)
  --help                 this text
`

/**
 * @param {string[]} args the arguments after the script's name
 * @param {{ scenarios: string[], targets: string[] }} known names that --only and --targets may hold
 * @returns {Options | null} null when help was asked for
 * @throws {Error} with a message for the user when a flag is unknown or its value makes no sense
 */
export function readOptions(args, known) {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '2' },
      'accuracy-seconds': { type: 'string', default: '5' },
      'idle-connections': { type: 'string', default: '5000' },
      only: { type: 'string' },
      targets: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return null
  return {
    rounds: positiveInteger('--rounds', values.rounds, 1000),
    seconds: positiveInteger('--seconds', values.seconds, 600),
    accuracySeconds: positiveInteger('--accuracy-seconds', values['accuracy-seconds'], 600),
    idleConnections: positiveInteger('--idle-connections', values['idle-connections'], 25_000),
    only: names('--only', values.only, known.scenarios),
    targets: names('--targets', values.targets, known.targets),
    json: values.json,
  }
}

function positiveInteger(flag, text, maximum) {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= maximum) return value
  throw new Error(`${flag}: expected a whole number from 1 to ${maximum}, got "${text}"`)
}

function names(flag, text, known) {
  if (text === undefined) return null
  const wanted = text.split(',').map((name) => name.trim())
  for (const name of wanted) {
    if (!known.includes(name)) throw new Error(`${flag}: unknown "${name}", expected some of ${known.join(', ')}`)
  }
  return wanted
}
