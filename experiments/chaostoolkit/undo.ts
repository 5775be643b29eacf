// How to take back what a run has done to proxies, known from the moment it was done. What the file takes back itself is
// forgotten.

interface Step {
  /** In words: `toxic slow on db`. */
  readonly what: string
  readonly undo: () => Promise<void>
  readonly original: unknown
}

export class UndoList {
  /** By what was done to what. */
  readonly #steps = new Map<string, Step>()

  /**
   * The first of its key counts.
   *
   * @param what in words
   * @param original what was there before
   */
  add(key: string, what: string, undo: () => Promise<void>, original?: unknown): void {
    if (!this.#steps.has(key)) this.#steps.set(key, { what, undo, original })
  }

  originalOf(key: string): unknown {
    return this.#steps.get(key)?.original
  }

  /** What begins with this has been taken back. */
  forget(prefix: string): void {
    for (const key of this.#steps.keys()) if (key.startsWith(prefix)) this.#steps.delete(key)
  }

  /** What has not been taken back, in words. */
  get left(): readonly string[] {
    return [...this.#steps.values()].map(({ what }) => what)
  }

  /**
   * Takes everything back, the latest first, and goes on when something fails.
   *
   * @returns what was taken back; what was not is {@link left}
   */
  async run(failed: (what: string, error: unknown) => void): Promise<string[]> {
    const undone: string[] = []
    for (const [key, { what, undo }] of [...this.#steps].toReversed()) {
      try {
        await undo()
        this.#steps.delete(key)
        undone.push(what)
      } catch (error) {
        failed(what, error)
      }
    }
    return undone
  }
}
