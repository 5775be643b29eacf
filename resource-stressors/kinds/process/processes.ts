// The processes of a machine, as /proc tells of them: proc_pid_stat(5), proc_pid_cmdline(5).
import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { numberAfter, readText } from '../../machine/files.ts'
import type { ProcessIdentity } from '../../machine/process-identity.ts'

export interface SeenProcess extends ProcessIdentity {
  /** What it is called: the kernel's name, of at most 15 bytes, and the last part of the program's path as it was started. */
  readonly names: readonly string[]
  /** Arguments with a blank between two; empty for threads of the kernel. */
  readonly commandLine: string
  readonly parentPid: number
  readonly isKernelThread: boolean
  /** Stopped by a signal, or held by a debugger. */
  readonly isStopped: boolean
  /** The process that it is a thread of; its own number for a process. */
  readonly threadGroupPid: number
}

/** PF_KTHREAD of include/linux/sched.h. */
const KERNEL_THREAD_FLAG = 0x0020_0000
/** Longer ones are not looked at to the end. */
const MAX_COMMAND_LINE_LENGTH = 65_536

/** In rising order, without threads. */
export function processIds(root: string): number[] {
  const names = readdirSync(join(root, 'proc')).filter((name) => /^\d+$/.test(name))
  return names.map(Number).sort((first, second) => first - second)
}

/** @returns undefined if it is not there, or has ended and was not asked for its exit code yet (a zombie) */
export function seeProcess(root: string, pid: number): SeenProcess | undefined {
  const folder = join(root, 'proc', String(pid))
  const stat = readText(join(folder, 'stat'))
  if (stat === undefined) return undefined
  const [state = '', parent, , , , , flags, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const started = rest[12]
  if (state === 'Z' || state === 'X' || started === undefined) return undefined
  const kernelName = toText(stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')')))
  const parts = toText(readText(join(folder, 'cmdline')) ?? '')
    .replace(/\0+$/, '')
    .split('\0')
  return {
    pid,
    started,
    names: [...new Set([basename(parts[0] ?? ''), kernelName])].filter((name) => name !== ''),
    commandLine: parts.join(' ').slice(0, MAX_COMMAND_LINE_LENGTH),
    parentPid: Number(parent),
    isKernelThread: (Number(flags) & KERNEL_THREAD_FLAG) !== 0,
    isStopped: state === 'T' || state === 't',
    threadGroupPid: numberAfter(readText(join(folder, 'status')), 'Tgid:') ?? pid,
  }
}

/** `there`: it runs, or waits for something. undefined: it is gone, and its number may be another's. */
export function stateOf({ pid, started }: ProcessIdentity): 'there' | 'stopped' | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  const [state, ...rest] = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  if (state === undefined || state === 'Z' || state === 'X' || rest[18] !== started) return undefined
  return state === 'T' || state === 't' ? 'stopped' : 'there'
}

/** Small files of the system are read byte by byte. */
function toText(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8')
}
