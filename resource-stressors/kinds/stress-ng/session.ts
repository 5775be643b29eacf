// All processes of one stress-ng: it was started as the first of a session, credentials(7), which they never leave.
import { readdirSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { readText } from '../../machine/files.ts'
import { killGroupOf } from '../../machine/process-group.ts'
import type { ProcessIdentity } from '../../machine/process-identity.ts'

export interface Member {
  readonly pid: number
  readonly parentPid: number
  /** CPU time of it and of those that it has outlived and asked for their exit codes, in milliseconds. */
  readonly cpuMs: number
}

/** USER_HZ, which is 100 on all of Linux's architectures that Node runs on: proc_pid_stat(5). */
const MS_PER_TICK = 10
/** Names of all its processes begin so: it never starts another program. */
const NAME = 'stress-ng'
/** From a kill to the end of those that were killed: a worker may have hundreds of MiB. */
const GONE_DEADLINE_MS = 2000
const GONE_CHECK_MS = 5

/** Those that are there, without those that have ended and were not asked for their exit codes yet (zombies). */
export function membersOf(leader: ProcessIdentity): Member[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    const stat = readText(`/proc/${pid}/stat`)
    const member = stat === undefined ? undefined : memberOf(leader, stat)
    return member === undefined ? [] : [{ pid: Number(pid), ...member }]
  })
}

/** A later session of the same number is another's: numbers are given again once nobody has them. */
function memberOf(leader: ProcessIdentity, stat: string): Omit<Member, 'pid'> | undefined {
  const end = stat.lastIndexOf(')')
  const fields = stat.slice(end + 2).split(' ')
  const [state, parent, group, session] = fields
  const isOfSession = Number(session) === leader.pid && Number(group) === leader.pid
  if (!isOfSession || state === 'Z' || state === 'X') return undefined
  if (!stat.slice(stat.indexOf('(') + 1).startsWith(NAME) || Number(fields[19]) < Number(leader.started))
    return undefined
  const ticks = fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0)
  return { parentPid: Number(parent), cpuMs: ticks * MS_PER_TICK }
}

/** Kills all at once, also those that are just being forked. @throws if some are there after 2 s */
export async function killSession(leader: ProcessIdentity): Promise<void> {
  const deadlineMs = performance.now() + GONE_DEADLINE_MS
  for (let members = membersOf(leader); members.length > 0; members = membersOf(leader)) {
    if (performance.now() > deadlineMs) throw new Error(`${members.length} processes of stress-ng can't be ended`)
    killGroupOf(leader.pid)
    await delay(GONE_CHECK_MS)
  }
}

export interface StressNgRemains {
  readonly folder: string
  /** Null before it was started. */
  readonly leader: ProcessIdentity | null
}

/** For the guard. */
export async function readyToEnd({ folder, leader }: StressNgRemains): Promise<() => Promise<void>> {
  return async () => {
    if (leader !== null) await killSession(leader)
    rmSync(folder, { recursive: true, force: true })
  }
}
