// What tests of stressors need: a look at processes from outside, parents that can be killed, machines made of files.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { StressorSpec } from '../../resource-stressors/index.ts'
import { compiledRoot } from './compiled-stressors.ts'
import { identifyProcess } from '../../resource-stressors/machine/process-identity.ts'

export const MIB = 2 ** 20

export function isThere(pid: number): boolean {
  return identifyProcess(pid) !== undefined
}

/** CPU time that all threads of a process have had, by the kernel's count. */
export function cpuMs(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const times = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]))
  return times.reduce((sum, time) => sum + time, 0) / 1e6
}

export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/status`, 'latin1').match(/^VmRSS:\s*(\d+)/m)?.[1]) * 1024
}

/** Processes that this one has started and that are there. */
export function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
  return text === '' ? [] : text.split(' ').map(Number).filter(isThere)
}

/** Waits until none of them is there any more; fails after `withinMs`. */
export async function untilGone(pids: readonly number[], withinMs: number): Promise<void> {
  const beginMs = performance.now()
  const left = (): number[] => pids.filter(isThere)
  while (left().length > 0) {
    if (performance.now() - beginMs > withinMs)
      throw new Error(`after ${withinMs} ms there are still ${left().join(', ')}`)
    await delay(5)
  }
}

/** A folder that looks like the root of a machine, for as long as the block lasts. */
export class FakeMachine implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'faultline-machine-'))

  constructor(files: Readonly<Record<string, string>> = {}) {
    for (const [path, text] of Object.entries(files)) this.write(path, text)
  }

  /** One with so much memory and without control groups. */
  static withMemory(totalBytes: number, availableBytes: number): FakeMachine {
    const machine = new FakeMachine()
    machine.setMemory(totalBytes, availableBytes)
    return machine
  }

  setMemory(totalBytes: number, availableBytes: number): void {
    this.write('proc/meminfo', meminfo(totalBytes, availableBytes))
  }

  write(path: string, text: string): void {
    const file = join(this.root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

export function meminfo(totalBytes: number, availableBytes: number): string {
  return `MemTotal: ${totalBytes / 1024} kB\nMemFree: 1 kB\nMemAvailable: ${availableBytes / 1024} kB\nSwapTotal: 0 kB\n`
}

const PROGRAM = join(import.meta.dirname, 'stressor-parent.mjs')
/** A child that starts takes long on a busy machine. */
const SAID_DEADLINE_MS = 12_000
const COMPILED = join(compiledRoot, 'resource-stressors/index.js')

export interface ParentOptions {
  /** Where programs are looked for. Default: as here. */
  readonly path?: string
  /** A line of shell that goes before, e.g. to enter a control group. */
  readonly before?: string
  /** The file that the stressors are imported from. Default: today's source, compiled. */
  readonly module?: string
}

/** A process that starts stressors, writes what becomes of them, and goes on. Killed at the end of the block. */
export class StressorParent implements AsyncDisposable {
  readonly child: ChildProcess
  readonly #lines: string[] = []
  #errors = ''
  readonly #exited: Promise<void>

  constructor(specs: readonly StressorSpec[], { path, before = ':', module = COMPILED }: ParentOptions = {}) {
    const command = [process.execPath, PROGRAM, module, JSON.stringify(specs)]
    // The path is for the program alone: the shell needs the usual one.
    const line = `${before} && PATH="$0" exec "$@"`
    this.child = spawn('/bin/sh', ['-c', line, path ?? process.env['PATH'] ?? '', ...command], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    createInterface(this.child.stdout!).on('line', (line) => this.#lines.push(line))
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text
    })
    this.#exited = new Promise((resolve) => this.child.once('exit', () => resolve()))
  }

  get pid(): number {
    return this.child.pid!
  }

  /** The first line it writes with this word at the beginning; the rest of it, as JSON. */
  async said(word: string): Promise<any> {
    for (const beginMs = performance.now(); ; await delay(10)) {
      const line = this.#lines.find((line) => line.startsWith(`${word} `))
      if (line !== undefined) return JSON.parse(line.slice(word.length + 1))
      if (this.child.exitCode !== null || performance.now() - beginMs > SAID_DEADLINE_MS)
        throw new Error(`it never said ${word}: ${this.#errors}`)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL')
    await this.#exited
  }
}
