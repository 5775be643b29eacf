// Postgres and PgBouncer refuse to run as root. A bench that root runs starts them as the account `nobody`.

import { execFileSync } from 'node:child_process'
import { chownSync } from 'node:fs'
import { findProgram } from '../programs.mjs'

const isRoot = process.getuid?.() === 0

/** @returns {Promise<string | null>} why programs that refuse root cannot be started, null when they can */
export async function missingAccount() {
  if (!isRoot || (await findProgram('setpriv')) !== null) return null
  return 'as root it needs setpriv, which is not on PATH'
}

/**
 * Puts in front of a command what makes it run as `nobody`, when this process is root. The process id stays that of the
 * command, as setpriv replaces itself.
 *
 * @param {[command: string, ...args: string[]]} command
 * @returns {Promise<[command: string, ...args: string[]]>}
 */
export async function withoutRoot(command) {
  if (!isRoot) return command
  const { path } = await findProgram('setpriv')
  return [path, `--reuid=${idOf('-u')}`, `--regid=${idOf('-g')}`, '--clear-groups', '--', ...command]
}

/** Gives a file or folder to the account of {@link withoutRoot}. @param {string} path */
export function giveAway(path) {
  if (isRoot) chownSync(path, idOf('-u'), idOf('-g'))
}

/** @param {'-u' | '-g'} flag */
function idOf(flag) {
  return Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
}
