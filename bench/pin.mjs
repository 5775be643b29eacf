// Gives the proxies of a scenario a core of their own, so that they and not the load decide what is measured.

import { availableParallelism } from 'node:os'
import { runProgram } from './children.mjs'
import { findProgram } from './programs.mjs'

/**
 * Moves this process, and so all that it starts from now on, to the cores behind the first one.
 *
 * @returns {Promise<{ pin: (pid: number) => Promise<void>, release: () => Promise<void> } | null>} `pin` moves a proxy to
 * the first core, `release` takes this process back to all; null without taskset or with one core
 */
export async function pinProxies() {
  const taskset = await findProgram('taskset')
  const cores = availableParallelism()
  if (taskset === null || cores < 2) return null
  const move = async (pid, list) => {
    await runProgram(taskset.path, ['-a', '-c', '-p', list, String(pid)], { timeoutMs: 5000 })
  }
  await move(process.pid, `1-${cores - 1}`)
  return { pin: (pid) => move(pid, '0'), release: () => move(process.pid, `0-${cores - 1}`) }
}
