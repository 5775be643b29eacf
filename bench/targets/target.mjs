// What a target of the bench is: a way to reach the upstream, through a proxy or straight. Starting a program that
// listens on one port is the same for most of them.

import { startProgram } from '../children.mjs'
import { freePort, waitUntilListening } from '../network.mjs'

/**
 * @typedef {object} Target
 * @property {string} name as in --targets and in the tables
 * @property {'tcp' | 'http' | 'postgres'} carries what it can carry; all but `tcp` are only in the scenarios that speak it
 * @property {boolean} injectsFaults whether it has Toxiproxy's API, and with it a place in the accuracy scenarios
 * @property {string[]} [scenarios] the only ones it has a place in; default all that take it
 * @property {() => Promise<Availability>} find whether it is on this machine
 * @property {(setting: Setting) => Promise<RunningTarget>} start
 *
 * @typedef {{ version: string } | { missing: string }} Availability
 *
 * @typedef {object} Setting
 * @property {number} upstreamPort
 * @property {number} maxConnections most connections at a time that a scenario opens
 * @property {string} [protocol] of Faultline's proxy; default tcp
 * @property {object[]} [faults] of Faultline's proxy with a protocol
 * @property {object} [options] other fields of that proxy
 *
 * @typedef {object} RunningTarget
 * @property {number} port where clients connect
 * @property {number | null} pid of the proxy's process, null when there is none
 * @property {() => Promise<void>} stop
 * @property {import('./toxiproxy-api.mjs').ToxiproxyApi} [api]
 */

/**
 * Starts a proxy that takes its port and its upstream's on the command line or in a file.
 *
 * @param {(port: number) => [command: string, ...args: string[]]} commandFor
 * @returns {Promise<RunningTarget>}
 */
export async function startListener(commandFor) {
  const port = await freePort()
  const [command, ...args] = commandFor(port)
  const program = startProgram(command, args)
  await waitUntilListening(port, program)
  return { port, pid: program.pid, stop: program.stop }
}
