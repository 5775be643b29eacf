// Which programs of other people are on this machine, and in which version.

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runProgram } from './children.mjs'

// Debian keeps servers in sbin, which is not on every user's PATH.
const serverFolders = ['/usr/local/sbin', '/usr/sbin']
/** To these, -v means something else or nothing. */
const withLongFlag = new Set(['toxiproxy-server', 'pgbench', 'pgbouncer', 'setpriv'])

/**
 * @typedef {{ name: string, path: string, version: string }} FoundProgram
 */

/** @param {string} name @returns {Promise<FoundProgram | null>} null when it is not there */
export async function findProgram(name) {
  const path = locate(name)
  if (path === null) return null
  const { stdout, errorText } = await runProgram(path, [withLongFlag.has(name) ? '--version' : '-v'], {
    timeoutMs: 5000,
    anyExitCode: true,
  })
  const version = /\d+\.\d+(\.\d+)?/.exec(stdout + errorText)
  return { name, path, version: version === null ? 'unknown version' : version[0] }
}

function locate(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...serverFolders]
  for (const folder of folders) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // Not in this folder.
    }
  }
  return null
}
