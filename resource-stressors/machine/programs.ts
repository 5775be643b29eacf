// Programs of the system that make stressors better where they are there.
import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The full path of a program, if it is there to be run. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const DEATH_SIGNAL = ['--pdeathsig', 'KILL']

/**
 * What to put before a command line so that the kernel kills the process when the thread that started it ends: setpriv
 * of util-linux 2.33 and later. Busybox's has no such option. Empty if there is none.
 */
export async function dyingWithParent(): Promise<readonly string[]> {
  const setpriv = process.platform === 'linux' ? findProgram('setpriv') : undefined
  if (setpriv === undefined) return []
  return new Promise((resolve) => {
    // Node itself may be slow to start; `setpriv --version` needs no other program.
    execFile(setpriv, [...DEATH_SIGNAL, setpriv, '--version'], (error) => {
      resolve(error ? [] : [setpriv, ...DEATH_SIGNAL])
    })
  })
}
