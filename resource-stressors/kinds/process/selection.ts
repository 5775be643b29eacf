// Which processes are meant: by their number, or by patterns that they match.
import { setImmediate as nextTurn } from 'node:timers/promises'
import { systemCode } from '../../../proxy/errors.ts'
import { compilePattern, type Pattern } from '../../../proxy/pattern.ts'
import { invalidAttribute, type PlanContext } from '../../definition.ts'
import { processIds, seeProcess, stateOf, type SeenProcess } from './processes.ts'
import { protection, type Protection } from './protected.ts'

export interface Selector {
  readonly pid?: number
  readonly command?: Pattern
  readonly commandLine?: Pattern
  readonly maxMatches: number
}

export interface Selection {
  readonly chosen: readonly SeenProcess[]
  /** Those that match and must not be touched, with the reason. */
  readonly leftOut: readonly string[]
}

/** A machine may have thousands of processes: others get their turn after so long. */
const TURN_MS = 10
/** More are not named in a message. */
const MAX_NAMED = 20
const MAX_SHOWN_LENGTH = 60

/** @throws FaultlineError naming the attribute: there is none, it must not be touched, there are too many */
export async function selectProcesses(selector: Selector, context: PlanContext): Promise<Selection> {
  const { pid } = selector
  const { field, machine } = context
  const pattern = (['command', 'commandLine'] as const).find((key) => selector[key] !== undefined)
  if (pid === undefined && pattern === undefined) {
    throw invalidAttribute(field('pid'), 'pid, command or commandLine', undefined)
  }
  const protect = protection(machine.root)
  if (pid === undefined) return selectMatching(selector, protect, context)
  if (pattern !== undefined) throw invalidAttribute(field(pattern), 'nothing beside pid', selector[pattern])
  return { chosen: [selectByPid(pid, protect, context)], leftOut: [] }
}

/** `123 (node server.js)` */
export function describeProcess({ pid, commandLine, names }: SeenProcess): string {
  const text = commandLine || (names[0] ?? '')
  return `${pid} (${text.length > MAX_SHOWN_LENGTH ? `${text.slice(0, MAX_SHOWN_LENGTH - 3)}...` : text})`
}

/** The first of them, and how many more there are. */
export function listSome(words: readonly string[]): string {
  const more = words.length - MAX_NAMED
  return words.slice(0, MAX_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

function selectByPid(pid: number, protect: Protection, { field, machine }: PlanContext): SeenProcess {
  const seen = seeProcess(machine.root, pid)
  if (!seen) throw invalidAttribute(field('pid'), 'the number of a process that is there', pid)
  const reason = protect(seen) ?? forbidden(seen)
  if (reason === undefined) return seen
  throw invalidAttribute(field('pid'), `a process that may be touched, and this is ${reason}`, pid)
}

async function selectMatching(selector: Selector, protect: Protection, context: PlanContext): Promise<Selection> {
  const matching = await findMatching(selector, context)
  const chosen: SeenProcess[] = []
  const leftOut: string[] = []
  for (const seen of matching) {
    const reason = protect(seen) ?? forbidden(seen)
    if (reason === undefined) chosen.push(seen)
    else leftOut.push(`${describeProcess(seen)} is ${reason}`)
  }
  const key = selector.command === undefined ? 'commandLine' : 'command'
  if (chosen.length === 0) {
    const only = leftOut.length > 0 ? ` and may be touched: ${listSome(leftOut)}` : ''
    throw invalidAttribute(context.field(key), `what a process has that is there${only}`, selector[key])
  }
  const { maxMatches } = selector
  if (chosen.length > maxMatches) {
    const expected = `at least ${chosen.length}, as so many match: ${listSome(chosen.map(describeProcess))}`
    throw invalidAttribute(context.field('maxMatches'), expected, maxMatches)
  }
  return { chosen, leftOut }
}

async function findMatching(
  { command, commandLine }: Selector,
  { field, machine }: PlanContext,
): Promise<SeenProcess[]> {
  const isName = command === undefined ? undefined : compilePattern(command, 'text', field('command'))
  const isLine = commandLine === undefined ? undefined : compilePattern(commandLine, 'contains', field('commandLine'))
  const matching: SeenProcess[] = []
  let turnEndMs = performance.now() + TURN_MS
  for (const pid of processIds(machine.root)) {
    if (performance.now() > turnEndMs) {
      await nextTurn()
      turnEndMs = performance.now() + TURN_MS
    }
    const seen = seeProcess(machine.root, pid)
    if (!seen || (isName && !seen.names.some(isName)) || (isLine && !isLine(seen.commandLine))) continue
    matching.push(seen)
  }
  return matching
}

/** Signal 0 only asks, kill(2). */
function forbidden(seen: SeenProcess): string | undefined {
  if (stateOf(seen) === undefined) return undefined // gone meanwhile: whoever signals it finds that out
  try {
    process.kill(seen.pid, 0)
    return undefined
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return undefined
    return 'of a user whose processes this one may send no signals'
  }
}
