// One stage by itself on the fake clock: for what must hold to the millisecond and the byte. No sockets.
import { findFaultDefinition, InstalledFault, ManualClock, type InjectionDetail } from '../../proxy/index.ts'
import type { Signal, Sink, Stage } from '../../proxy/faults/fault.ts'
import { Random } from '../../proxy/random.ts'

export interface Passed {
  readonly atMs: number
  readonly item: Buffer | Signal
}

/** A running stage, what it has passed on, and what it has put on record. */
export class IsolatedStage {
  readonly clock = new ManualClock()
  readonly stage: Stage<unknown>
  readonly passed: Passed[] = []
  readonly acts: { atMs: number; action: string; detail: InjectionDetail }[] = []
  limitsReached = 0

  constructor(type: string, attributes: Readonly<Record<string, number>>, { seed = 1, maxHeldBytes = 2 ** 24 } = {}) {
    const definition = findFaultDefinition(type)
    if (definition?.layer !== 'stream') throw new Error(`no stream fault type ${type}`)
    const complete = { ...InstalledFault.fromSpec({ type }).attributes, ...attributes }
    this.stage = definition.create(complete, {
      clock: this.clock,
      random: new Random(seed, type),
      maxHeldBytes,
      direction: 'downstream',
      faultDirection: 'downstream',
      untouched: true,
      dialMs: 1,
      shared: (make) => make(),
      record: (action, detail = {}) => this.acts.push({ atMs: this.clock.now(), action, detail }),
      released: () => {},
      limitReached: () => this.limitsReached++,
    })
    this.stage.next = this.#sink
    this.stage.start()
  }

  /** Lends the stage a chunk: its memory is overwritten as soon as the stage has it. */
  write(data: string | Buffer): void {
    const lent = Buffer.from(data)
    this.stage.write(lent)
    lent.fill(0xff)
  }

  /** All bytes passed on so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.passed.map(({ item }) => (typeof item === 'string' ? Buffer.alloc(0) : item)))
  }

  /** What has been passed on, readable: `['12 abc', '20 end']`. */
  get log(): string[] {
    return this.passed.map(({ atMs, item }) => `${atMs} ${item.toString()}`)
  }

  readonly #sink: Sink = {
    write: (chunk) => void this.passed.push({ atMs: this.clock.now(), item: Buffer.from(chunk) }),
    end: () => this.#signal('end'),
    close: () => this.#signal('close'),
    reset: () => this.#signal('reset'),
  }

  #signal(item: Signal): void {
    this.passed.push({ atMs: this.clock.now(), item })
  }
}
