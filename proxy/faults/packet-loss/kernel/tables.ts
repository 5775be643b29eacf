// Names of tables, by which one can tell whose they are and whether that process still lives.
import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { systemCode } from '../../../errors.ts'
import { applyRules, tableNames, withoutTable } from './nft.ts'

/** faultline_, the number of its namespace of processes, the process, when it began, random digits. */
const NAME = /^faultline_(?<namespace>\d+)_(?<pid>\d+)_(?<began>\d+)_[0-9a-f]{8}$/

/** A name for a table of this process that no other has. */
export function newTableName(): string {
  const random = randomBytes(4).toString('hex')
  return `faultline_${pidNamespace()}_${process.pid}_${beginOf(process.pid) ?? 0}_${random}`
}

let looked = false

/**
 * The first time it is called: removes the tables of processes that have ended and left some: whoever kills all of a service's processes at once
 * (systemd, a container's end) leaves nobody to clean up. Other containers on the same network have process numbers of
 * their own, so theirs are left alone.
 *
 * @throws Error as applyRules()
 */
export function removeLeftTables(): void {
  if (looked) return
  const left = tableNames().filter((name) => isLeft(name))
  if (left.length > 0) applyRules(left.map((name) => withoutTable(name)).join(''))
  looked = true
}

function isLeft(table: string): boolean {
  const { namespace, pid, began } = NAME.exec(table)?.groups ?? {}
  if (namespace !== pidNamespace()) return false
  // A process number is used again sooner or later, but not with the same beginning.
  const begins = beginOf(Number(pid))
  return begins === undefined ? !isAlive(Number(pid)) : begins !== began
}

/** Also of processes that may not be looked at (proc(5), hidepid). */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return systemCode(error) !== 'ESRCH'
  }
}

function pidNamespace(): string {
  return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
}

/** When a process began, in ticks since the machine did (proc(5), stat, field 22); undefined if there is none. */
function beginOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // Field 2, the program's name, may contain anything, in parentheses.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
