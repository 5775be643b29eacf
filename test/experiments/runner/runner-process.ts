// Experiments in processes of their own, which can be killed.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { AdminServer } from '../../../admin/index.ts'
import type { Journal } from '../../../experiments/model.ts'
import type { Network } from '../../../proxy/index.ts'
import { remains } from './support.ts'

const program = join(import.meta.dirname, '../../support/experiment-runner.mjs')
const built = join(import.meta.dirname, '../../../dist/esm/experiments/index.js')

export interface RunnerProcess {
  readonly child: ChildProcess
  /** What it has told. */
  readonly events: readonly {
    readonly kind: string
    readonly step?: { readonly kind: string }
    readonly journal?: Journal
  }[]
}

/** Runs an experiment, its leases a second long; resolves when its first step of this kind acts. */
export async function startRunner(server: AdminServer, text: string, kind: string): Promise<RunnerProcess> {
  const child = spawn(process.execPath, [program, built, server.url, text], { stdio: ['ignore', 'pipe', 'inherit'] })
  const events: RunnerProcess['events'][number][] = []
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('it ended before that')))
    createInterface(child.stdout).on('line', (line) => {
      events.push(JSON.parse(line))
      if (events.at(-1)?.step?.kind === kind) resolve()
    })
  })
  return { child, events }
}

export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const closed = once(child, 'close')
  child.kill(signal)
  await closed
}

/** Fails if there is something of an experiment after so many milliseconds. */
export async function untilNothingRemains(network: Network, withinMs: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`there still is ${remains(network).join(', ')}`)), withinMs)
    const unsubscribe = network.changes.subscribe(look)
    look()
    function look(): void {
      if (remains(network).length > 0) return
      clearTimeout(timer)
      unsubscribe()
      resolve()
    }
  })
}
