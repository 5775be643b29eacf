// The threads of a child, as its main thread sees them. Some wait ahead of time, as a thread takes long to start.
import { dirname, extname, join } from 'node:path'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import { ThreadControl } from './thread-control.ts'

export interface ThreadData {
  readonly shared: SharedArrayBuffer
  readonly orders: MessagePort
}

export interface ThreadOrder {
  readonly type: string
  readonly task: unknown
}

export type ThreadEvent = 'ready' | 'begun' | 'done'

/** A load needs little: this keeps the memory that V8 takes ahead small. In MB. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 64 }

export class Thread {
  readonly control = new ThreadControl()
  /** Rejects when the thread fails; never resolves. */
  readonly failed: Promise<never>
  readonly #worker: Worker
  readonly #orders: MessagePort
  readonly #events = new Map<ThreadEvent, Promise<void>>()

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.#orders = port1
    const workerData: ThreadData = { shared: this.control.shared, orders: port2 }
    const program = process.argv[1] ?? ''
    this.#worker = new Worker(join(dirname(program), 'thread') + extname(program), {
      workerData,
      transferList: [port2],
      resourceLimits: RESOURCE_LIMITS,
    })
    this.failed = new Promise((_resolve, reject) => this.#worker.once('error', reject))
    this.failed.catch(() => undefined) // whoever waits for an event is told
    for (const event of ['ready', 'begun', 'done'] as const) this.#events.set(event, this.#next(event))
  }

  get ready(): Promise<void> {
    return this.#event('ready')
  }

  /** Resolves when it has begun. */
  async run(order: ThreadOrder): Promise<void> {
    // eslint-disable-next-line unicorn/require-post-message-target-origin -- that is a window's, not a port's
    this.#orders.postMessage(order)
    this.control.run()
    await this.#event('begun')
  }

  /** Resolves when it has left its load. */
  async stop(): Promise<void> {
    this.control.stop()
    await this.#event('done')
  }

  #event(event: ThreadEvent): Promise<void> {
    return Promise.race([this.failed, this.#events.get(event)])
  }

  #next(event: ThreadEvent): Promise<void> {
    return new Promise((resolve) => {
      this.#worker.on('message', (message: ThreadEvent) => {
        if (message === event) resolve()
      })
    })
  }
}

export class Threads {
  readonly #waiting: Thread[] = []
  readonly #failed: (error: unknown) => void

  /** @param failed told when a thread that runs has failed */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Starts threads ahead. Resolves when they wait. */
  async prepare(count: number): Promise<void> {
    while (this.#waiting.length < count) this.#waiting.push(new Thread())
    await Promise.all(this.#waiting.map((thread) => thread.ready))
  }

  async start(order: ThreadOrder): Promise<Thread> {
    const thread = this.#waiting.shift() ?? new Thread()
    await thread.run(order)
    thread.failed.catch(this.#failed)
    return thread
  }
}
