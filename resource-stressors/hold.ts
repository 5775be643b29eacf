// What holds a stressor: it ends when its holder does, also if that happens while it is still being planned or started.

/** A lease of a network is one. */
export interface StressorHolder {
  readonly id: string
  /** @returns to be called when what is held has ended by itself */
  hold(release: () => void): () => void
}

export class Hold {
  /** The holder's; undefined = nothing holds it. */
  readonly id: string | undefined
  readonly #letGo: () => void
  #isOver = false
  #ended: () => void = () => undefined

  constructor(holder: StressorHolder | undefined) {
    this.id = holder?.id
    const letGo = holder?.hold(() => {
      this.#isOver = true
      this.#ended()
    })
    this.#letGo = letGo ?? (() => undefined)
  }

  /** Whether the holder has ended. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** What is to be done when the holder ends. */
  whenOver(ended: () => void): void {
    this.#ended = ended
  }

  /** Nothing is held any more. */
  release(): void {
    this.#letGo()
  }
}
