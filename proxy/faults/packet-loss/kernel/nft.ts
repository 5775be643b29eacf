// Runs nft(8), the program that sets up nftables. Synchronously, as faults are added: it takes a few milliseconds.
import { spawn, spawnSync } from 'node:child_process'
import type { Socket } from 'node:net'
import { systemCode } from '../../../errors.ts'

/** Far more than it takes; then something is wrong with the machine. */
const TIMEOUT_MS = 10_000

/** Where it is installed is not on everybody's path. */
const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  LC_ALL: 'C',
  PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
})

/** Applies rules, all or none. @throws Error that ends the sentence "the kernel engine …" */
export function applyRules(rules: string): void {
  run(['-f', '-'], rules)
}

/** Finds out whether rules could be applied, with what the kernel knows and permits. @throws Error as {@link applyRules} */
export function checkRules(rules: string): void {
  run(['--check', '-f', '-'], rules)
}

/** The names of all tables of the family inet. @throws Error as {@link applyRules} */
export function tableNames(): string[] {
  return list(['list', 'tables', 'inet']).flatMap(({ table }) => table?.name ?? [])
}

export interface Count {
  readonly packets: number
  readonly bytes: number
}

/** A table's counters by their names. @throws Error as {@link applyRules} */
export function readCounters(table: string): Map<string, Count> {
  const counters = list(['list', 'counters', 'table', 'inet', table]).flatMap(({ counter }) => counter ?? [])
  return new Map(counters.map(({ name, packets, bytes }) => [name, { packets, bytes }]))
}

/** Rules that remove a table, and do nothing where there is none. */
export function withoutTable(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`
}

/**
 * Sees to it that rules are applied when this process ends, even by SIGKILL: nft reads them to the end of its input, and
 * that comes when the system closes the pipe. In a process group of its own, as Ctrl-C is for all of a group.
 *
 * @param failed called if there is no such process, now or later
 * @returns calls it off
 */
export function applyAtEnd(rules: string, failed: (error: Error) => void): () => void {
  const child = spawn('nft', ['-f', '-'], {
    stdio: ['pipe', 'ignore', 'ignore'],
    env: environment(),
    detached: true,
    cwd: '/',
  })
  child.on('error', failed)
  child.stdin.on('error', failed)
  child.stdin.write(rules)
  child.unref()
  ;(child.stdin as Socket).unref()
  return () => {
    child.kill('SIGKILL')
    child.stdin.destroy()
  }
}

/** What nft lists in JSON (libnftables-json(5)), as far as it is asked for here. */
interface ListedObject {
  readonly table?: { readonly name: string }
  readonly counter?: Count & { readonly name: string }
}

function list(command: readonly string[]): readonly ListedObject[] {
  return (JSON.parse(run(['--json', ...command])) as { nftables: ListedObject[] }).nftables
}

function run(args: readonly string[], input = ''): string {
  const { error, status, stdout, stderr } = spawnSync('nft', args, {
    input,
    env: environment(),
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  })
  if (systemCode(error) === 'ENOENT') {
    throw new Error('needs the program nft (package nftables)', { cause: error })
  }
  if (error) throw new Error(`needs the program nft, which could not be run: ${error.message}`, { cause: error })
  if (status === 0) return stdout
  if (/not permitted/i.test(stderr)) {
    throw new Error('needs the capability CAP_NET_ADMIN (with docker: --cap-add NET_ADMIN)')
  }
  throw new Error(`needs rules that nft refuses: ${stderr.trim().split('\n')[0] ?? `status ${status}`}`)
}
