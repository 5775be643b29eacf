// How the main thread of a child and one of its other threads speak to each other: shared memory, as the other thread
// may be in a loop or asleep. Numbers are written by one side only; a torn one can't be, they are of 64 bits each.

const WAITING = 0
const RUNNING = 1
const STOPPED = 2

/** Of the signals: the state, and a count of everything new, so that no wake-up is missed by whoever is about to sleep. */
const STATE = 0
const NEWS = 1

const SLOTS = 8
const SIGNALS_BYTES = 8
const NUMBERS_BYTES = SLOTS * Float64Array.BYTES_PER_ELEMENT

export class ThreadControl {
  readonly shared: SharedArrayBuffer
  readonly #signals: Int32Array
  /** Written by the main thread, which calls {@link wake} then; what they mean is the load's affair. */
  readonly targets: Float64Array
  /** Written by the other thread. */
  readonly figures: Float64Array
  /** The count of news that the other thread has seen. */
  #seen = 0

  /** @param shared that of the other side */
  constructor(shared = new SharedArrayBuffer(SIGNALS_BYTES + 2 * NUMBERS_BYTES)) {
    this.shared = shared
    this.#signals = new Int32Array(shared, 0, SIGNALS_BYTES / Int32Array.BYTES_PER_ELEMENT)
    this.targets = new Float64Array(shared, SIGNALS_BYTES, SLOTS)
    this.figures = new Float64Array(shared, SIGNALS_BYTES + NUMBERS_BYTES, SLOTS)
  }

  // ---- the main thread's side ------------------------------------------------------------------------------------

  run(): void {
    this.#enter(RUNNING)
  }

  stop(): void {
    this.#enter(STOPPED)
  }

  /** Ends the other thread's sleep, so that it looks at its targets. */
  wake(): void {
    Atomics.add(this.#signals, NEWS, 1)
    Atomics.notify(this.#signals, NEWS)
  }

  #enter(state: number): void {
    Atomics.store(this.#signals, STATE, state)
    Atomics.notify(this.#signals, STATE)
    this.wake()
  }

  // ---- the other thread's side -----------------------------------------------------------------------------------

  /** Blocks until there is something to do. */
  awaitRun(): void {
    Atomics.wait(this.#signals, STATE, WAITING)
  }

  get stopping(): boolean {
    return Atomics.load(this.#signals, STATE) === STOPPED
  }

  /** Blocks for so long, or until there is something new; not at all if there has been since the last sleep. */
  sleep(ms: number): void {
    if (ms > 0) Atomics.wait(this.#signals, NEWS, this.#seen, ms)
    this.#seen = Atomics.load(this.#signals, NEWS)
  }
}
