// Connections in the child: opened, kept, and opened again, on its main thread, as each one needs it for microseconds.
import { connect, type Socket } from 'node:net'
import { systemCode } from '../../../proxy/errors.ts'
import { defineLoad, type RunningLoad } from '../../child/load.ts'
import type { Progress } from '../../child/messages.ts'
import { hurry } from '../../machine/hurry.ts'
import { Machine } from '../../machine/machine.ts'
import { shortageOf } from '../../machine/supply.ts'
import { Pace } from './pace.ts'
import { connectionSupplies } from './supplies.ts'
import { Target } from './target.ts'

export interface ConnectionsTask {
  readonly host: string
  readonly port: number
  readonly count: number
  /** null = as fast as it goes. */
  readonly perSecond: number | null
  readonly maxOpening: number
  readonly reopen: boolean
  readonly endWith: 'RST' | 'FIN'
  /** Of {@link Machine}. */
  readonly machineRoot: string
  readonly memoryFloorBytes: number
}

/** An attempt that nobody answers is given up; the kernel itself would go on for two minutes. */
const CONNECT_TIMEOUT_MS = 10_000
/** For the sockets to say that they are closed; the kernel has been told by then. */
const CLOSE_DEADLINE_MS = 200

/** What became of attempts, by the system's codes. All others are `failed`. */
const OUTCOMES: ReadonlyMap<string, Outcome> = new Map([
  ['ECONNREFUSED', 'refused'],
  ['ECONNRESET', 'refused'],
  ['ETIMEDOUT', 'timedOut'],
  ['EADDRNOTAVAIL', 'outOfPorts'],
  ['EMFILE', 'outOfFiles'],
  ['ENFILE', 'outOfFiles'],
])

type Outcome = 'refused' | 'timedOut' | 'outOfPorts' | 'outOfFiles' | 'failed' | 'ended'

class ConnectionsLoad implements RunningLoad {
  readonly #task: ConnectionsTask
  readonly #target: Target
  readonly #pace: Pace
  readonly #machine: Machine
  readonly #opening = new Set<Socket>()
  readonly #open = new Set<Socket>()
  /** How often each of them was seen, from the start. */
  readonly #outcomes: Record<Outcome, number> = {
    refused: 0,
    timedOut: 0,
    outOfPorts: 0,
    outOfFiles: 0,
    failed: 0,
    ended: 0,
  }
  #tried = 0
  #wanted = 0
  #stopping = false
  #closed: () => void = () => undefined

  constructor(task: ConnectionsTask, target: Target) {
    this.#task = task
    this.#target = target
    this.#pace = new Pace(task.perSecond, task.maxOpening)
    this.#machine = new Machine(task.machineRoot)
  }

  ramp(share: number): void {
    this.#wanted = Math.floor(this.#task.count * share)
    this.#pace.tick()
    this.#fill()
  }

  #fill(): void {
    while (!this.#stopping && this.#isOneMissing() && this.#pace.take(this.#nextAttempt)) this.#try()
  }

  #isOneMissing(): boolean {
    if (this.#opening.size >= this.#task.maxOpening) return false
    if (!this.#task.reopen) return this.#tried < this.#wanted
    return this.#open.size + this.#opening.size < this.#wanted
  }

  get #nextAttempt(): 'first' | 'again' {
    return this.#tried < this.#wanted ? 'first' : 'again'
  }

  #try(): void {
    this.#tried++
    const { address, port } = this.#target
    const socket = connect({ host: address, port })
    this.#opening.add(socket)
    let outcome: Outcome | undefined
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => {
      outcome = 'timedOut'
      socket.destroy()
    })
    socket.once('connect', () => {
      socket.setTimeout(0)
      outcome = 'ended'
      this.#opening.delete(socket)
      this.#open.add(socket)
      socket.resume() // only who reads sees an end; what came is nobody's
      this.#fill()
    })
    socket.on('error', (error) => {
      outcome ??= OUTCOMES.get(systemCode(error) ?? '') ?? 'failed'
    })
    socket.once('close', () => {
      if (this.#opening.delete(socket) && !this.#stopping) this.#target.avoid(address)
      this.#open.delete(socket)
      if (this.#stopping) this.#checkClosed()
      else {
        this.#outcomes[outcome ?? 'failed']++
        this.#fill()
      }
    })
  }

  /** `connections` are open now, and `opening` about to be; the others are counts from the start. */
  progress(): Progress {
    return {
      requested: { connections: this.#wanted },
      achieved: { connections: this.#open.size, opening: this.#opening.size, ...this.#outcomes },
    }
  }

  breach(): string | undefined {
    const supplies = connectionSupplies(this.#machine, this.#task.memoryFloorBytes)
    return supplies ? shortageOf(supplies) : 'the system no longer tells what is free'
  }

  async stop(): Promise<void> {
    this.#stopping = true
    hurry()
    const deadline = new Promise<void>((resolve) => setTimeout(resolve, CLOSE_DEADLINE_MS))
    const closed = new Promise<void>((resolve) => {
      this.#closed = resolve
    })
    for (const socket of this.#opening) socket.destroy()
    for (const socket of this.#open) {
      if (this.#task.endWith === 'RST') socket.resetAndDestroy()
      else socket.destroy()
    }
    this.#checkClosed()
    await Promise.race([closed, deadline])
  }

  #checkClosed(): void {
    if (this.#open.size + this.#opening.size === 0) this.#closed()
  }
}

async function start(task: ConnectionsTask): Promise<RunningLoad> {
  return new ConnectionsLoad(task, await Target.resolve(task.host, task.port))
}

export const connectionsLoad = defineLoad<ConnectionsTask>({ start })
