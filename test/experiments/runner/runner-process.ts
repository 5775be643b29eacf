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

/**
 * Runs an experiment.
 *
 * @param kind of event, such as `phase`, or of step: resolves when it has told of the first one
 * @param leaseMs after which what it holds ends without it
 */
export async function startRunner(
  server: AdminServer,
  text: string,
  kind: string,
  leaseMs = 1000,
): Promise<RunnerProcess> {
  const args = [program, built, server.url, text, String(leaseMs)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const events: RunnerProcess['events'][number][] = []
  await new Promise<void>((resolve, reject) => {
    child.once('close', () => reject(new Error(`it ended before that: ${events.at(-1)?.journal?.reason}`)))
    createInterface(child.stdout).on('line', (line) => {
      const event: RunnerProcess['events'][number] = JSON.parse(line)
      events.push(event)
      if (event.kind === kind || event.step?.kind === kind) resolve()
    })
  })
  return { child, events }
}

/** @throws if it has ended before, of which no signal is the reason */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it had ended before ${signal} came`)
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
