// The program of a guard: waits for a stressor's process to end, and undoes what that one could not.
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { LEASE_MS } from '../child/messages.ts'
import { signalProcess } from '../machine/process-identity.ts'
import type { FromGuard, Guarded, ToGuard, UndoOrder } from './messages.ts'
import { findUndoing } from './undoings.ts'

const CHECK_MS = 100
/** What was in the pipe when the lease ran out gets read in this time. */
const LEASE_GRACE_MS = 20
/** Others may be needed for it, who may be restarting. */
const RETRY_MS = 250
const GIVE_UP_MS = 60_000

const guarded = JSON.parse(process.argv[2] ?? '') as Guarded
let undo: (() => Promise<void>) | undefined
let lastHeardMs = performance.now()
let leaving = false

function main(): void {
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('SIGTERM', () => void undoAndLeave())
  process.on('disconnect', () => void undoAndLeave())
  process.on('message', receive)
  outliveMemoryShortage()
  setInterval(watchLease, CHECK_MS)
}

/** Stressors ask to be killed first when memory runs out; their guard must not be, and has that from them. */
function outliveMemoryShortage(): void {
  if (guarded.outOfMemoryScore === null) return
  try {
    writeFileSync('/proc/self/oom_score_adj', guarded.outOfMemoryScore)
  } catch {
    // Where that is not allowed, it is one of three processes that would all have to be killed.
  }
}

function receive(message: ToGuard): void {
  lastHeardMs = performance.now()
  if (message.kind === 'arm') void arm(message.order)
  if (message.kind === 'dismiss' && !leaving) process.exit()
}

async function arm({ type, task }: UndoOrder): Promise<void> {
  process.title = `faultline guard: ${type}`
  undo = await findUndoing(type)(task)
  process.send?.({ kind: 'armed' } satisfies FromGuard, undefined, {}, () => undefined)
}

/** One that is silent must not come back to life and go on where it was. */
function watchLease(): void {
  if (leaving || performance.now() - lastHeardMs <= LEASE_MS) return
  setTimeout(() => {
    if (leaving || performance.now() - lastHeardMs <= LEASE_MS) return
    if (guarded.process) signalProcess(guarded.process, 'SIGKILL')
    void undoAndLeave()
  }, LEASE_GRACE_MS)
}

async function undoAndLeave(): Promise<void> {
  if (leaving) return
  leaving = true
  const giveUpMs = performance.now() + GIVE_UP_MS
  while (!(await hasUndone()) && performance.now() < giveUpMs) await delay(RETRY_MS)
  process.exit()
}

async function hasUndone(): Promise<boolean> {
  return (undo?.() ?? Promise.resolve()).then(
    () => true,
    () => false,
  )
}

main()
