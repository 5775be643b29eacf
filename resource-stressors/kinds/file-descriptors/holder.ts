// The program of a process that only holds open files: one process may not have as many as a system can bear.
import { closeSync, openSync } from 'node:fs'

/** How many are to be open. */
export interface ToHolder {
  readonly wanted: number
}

/** An answer to each message, as soon as that is reached or can't be. */
export interface FromHolder {
  readonly held: number
  /** How often the system would not open another one, from the start. */
  readonly refused: number
}

/** Opened before it listens again: some milliseconds. */
const STEP = 1000

const held: number[] = []
let wanted = 0
let refused = 0
/** Messages that were not answered yet. */
let unanswered = 1
let working = false

// Ctrl-C goes to the whole group of processes; the end of whoever started us is what counts.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (message: ToHolder) => {
  wanted = message.wanted
  unanswered++
  work()
})
answer()

function work(): void {
  if (working) return
  working = true
  step()
}

function step(): void {
  const wasRefused = !open(Math.min(STEP, wanted - held.length))
  for (const file of held.splice(Math.max(wanted, held.length - STEP))) closeSync(file)
  if (held.length !== wanted && !wasRefused) {
    setImmediate(step)
    return
  }
  working = false
  answer()
}

/** @returns whether all could be opened */
function open(count: number): boolean {
  try {
    for (let index = 0; index < count; index++) held.push(openSync('/dev/null', 'r'))
    return true
  } catch {
    refused++ // EMFILE, ENFILE or ENOMEM: whoever asked sees how many there are
    return false
  }
}

function answer(): void {
  const message: FromHolder = { held: held.length, refused }
  for (; unanswered > 0; unanswered--) process.send?.(message, undefined, {}, () => undefined)
}
