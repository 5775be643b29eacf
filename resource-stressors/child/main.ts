// The program of a stressor's process. Its main thread listens to the supervisor, watches lease, time to live and floors,
// and never computes: what presses runs in threads. When in doubt, it ends.
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { RunningLoad } from './load.ts'
import { findLoad } from './loads.ts'
import { LEASE_MS, type EndReason, type FromChild, type Progress, type StartMessage, type ToChild } from './messages.ts'
import { Threads } from './threads.ts'

const TICK_MS = 100
const TICKS_PER_REPORT = 10
/** Threads that wait ahead: a core each, but on a large machine they would take more memory than they save time. */
const MAX_PREPARED_THREADS = 4
/** What was in the pipe when the lease ran out gets read in this time: a busy machine must not look like a dead parent. */
const LEASE_GRACE_MS = 20
/** For undoing what a load has done, once there is nobody any more to wait for it. */
const ABANDON_DEADLINE_MS = 500

const threads = new Threads((error) => void end('died', wordsOf(error)))
let running: Promise<RunningLoad> | undefined
let lastHeardMs = performance.now()
let ended = false

async function main(): Promise<void> {
  // Ctrl-C goes to the whole group of processes. What follows is the supervisor's affair; if it ends, so do we.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('SIGTERM', () => void abandon())
  process.on('disconnect', () => void abandon())
  process.on('uncaughtException', (error) => void end('died', wordsOf(error)))
  process.on('message', receive)
  volunteerForOutOfMemory()
  // It may have died before we could notice anything else of it.
  if (process.ppid !== Number(process.argv[2])) await abandon()
  // One that is needed at once makes its threads when it needs them, if ever.
  if (process.argv[3] === 'prepared') await threads.prepare(Math.min(availableParallelism(), MAX_PREPARED_THREADS))
  tell({ kind: 'ready' })
}

/** When memory runs out, the kernel is to kill us and not the one who is tested: proc_pid_oom_score_adj(5). */
function volunteerForOutOfMemory(): void {
  if (process.platform !== 'linux') return
  const file = '/proc/self/oom_score_adj'
  writeFileSync(file, '1000')
  if (readFileSync(file, 'latin1').trim() !== '1000') throw new Error(`${file} can't be set`)
}

function tell(message: FromChild, then: () => void = () => undefined): void {
  if (process.connected) process.send?.(message, undefined, {}, then)
  else then()
}

function receive(message: ToChild): void {
  lastHeardMs = performance.now()
  if (message.kind === 'start') start(message).catch((error: unknown) => end('died', wordsOf(error)))
  if (message.kind === 'stop') void end('request')
}

async function start({ type, task, ttlMs, rampUpMs }: StartMessage): Promise<void> {
  process.title = `faultline stressor: ${type}`
  running = findLoad(type).then((found) =>
    found.start(task, { startThread: (threadTask) => threads.start({ type, task: threadTask }) }),
  )
  const load = await running
  if (ended) return // told to stop meanwhile
  const startMs = performance.now()
  setTimeout(() => void end('expired'), ttlMs)
  let ticks = 0
  const tick = (): void => {
    if (ended) return
    load.ramp(rampUpMs > 0 ? Math.min(1, (performance.now() - startMs) / rampUpMs) : 1)
    const breach = load.breach?.()
    const finished = load.finished?.()
    if (breach !== undefined) void end('floor', breach)
    else if (finished !== undefined) void end('done', finished)
    else if (++ticks % TICKS_PER_REPORT === 0) tell({ kind: 'report', ...load.progress() })
    watchLease()
  }
  load.ramp(rampUpMs > 0 ? 0 : 1)
  setInterval(tick, TICK_MS)
  tell({ kind: 'started' })
}

function watchLease(): void {
  if (performance.now() - lastHeardMs <= LEASE_MS) return
  setTimeout(() => {
    if (performance.now() - lastHeardMs > LEASE_MS) void abandon()
  }, LEASE_GRACE_MS)
}

/** Lets go of everything, then says so, then is gone. */
async function end(reason: EndReason, why?: string): Promise<void> {
  if (ended) return
  ended = true
  let words = why
  const progress = await letGo().catch((error: unknown) => {
    // If it never began, that is why it ends.
    const more = wordsOf(error)
    words = words === undefined || words === more ? more : `${words}; ${more}`
    return undefined
  })
  tell({ kind: 'ended', reason, ...(words !== undefined && { message: words }), ...progress }, () => process.exit())
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : JSON.stringify(error)
}

/** @returns what had been reached */
async function letGo(): Promise<Progress | undefined> {
  const load = await running
  const progress = load?.progress()
  await load?.stop()
  return progress
}

/** The supervisor is gone: nobody needs to be told, and a thread that doesn't listen is no reason to stay. */
async function abandon(): Promise<void> {
  ended = true
  const deadline = new Promise((resolve) => setTimeout(resolve, ABANDON_DEADLINE_MS))
  await Promise.race([letGo(), deadline]).catch(() => undefined)
  process.kill(process.pid, 'SIGKILL')
}

void main()
