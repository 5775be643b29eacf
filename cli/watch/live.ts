// `faultline watch` on a terminal: asks what there is once a second and whenever something happens, and draws it.
import type { V1Client } from '../../admin/client/v1-client.ts'
import type { FeedEntryView } from '../../admin/client/v1-answers.ts'
import { isAdminClientError } from '../../admin/client/client-error.ts'
import type { Output } from '../output.ts'
import { picture, type Watched } from './picture.ts'
import { Rates } from './rates.ts'
import { Screen } from './screen.ts'

const REFRESH_MS = 1000

/** Of the feed, for the list of events: more than any terminal has rows. */
const MAX_ENTRIES = 500

/** To begin with: a screen full. */
const RECALLED_ENTRIES = 100

/** A flood of events is drawn no more often: eyes follow no faster, and a slow terminal keeps up. */
const MIN_REFRESH_GAP_MS = 100

export interface LiveOptions {
  readonly types: readonly string[]
  readonly proxy: string | undefined
  readonly since: number | undefined
  readonly signal: AbortSignal
}

/** Until the signal aborts. @throws AdminClientError if the server can't be had to begin with */
export async function watchLive(client: V1Client, out: Output, options: LiveOptions): Promise<void> {
  const live = new Live(client, options.proxy)
  await live.refresh()
  const since = options.since ?? (await live.recall(options.types))
  const screen = new Screen(out)
  const draw = (): void => screen.draw(picture(out, live.watched, out.size.rows))
  const refresher = new Refresher(async () => {
    await live.refresh().catch((error: unknown) => {
      if (!isAdminClientError(error)) throw error
      live.lost = error.message
    })
    draw()
  })
  try {
    draw()
    const feed = client.feed({
      ...options,
      since,
      connected: () => refresher.soon(),
      broken: (reason) => {
        live.lost = reason
        refresher.soon()
      },
    })
    for await (const entry of feed) {
      live.add(entry)
      refresher.soon()
    }
  } finally {
    refresher.end()
    screen.leave()
  }
}

class Live {
  readonly #client: V1Client
  readonly #proxy: string | undefined
  readonly #rates = new Rates()
  readonly #entries: FeedEntryView[] = []
  #watched: Watched | undefined
  /** Why nothing is heard of the server, until it is again. */
  lost: string | undefined

  constructor(client: V1Client, proxy: string | undefined) {
    this.#client = client
    this.#proxy = proxy
  }

  /** After the first {@link Live.refresh}. */
  get watched(): Watched {
    if (!this.#watched) throw new Error('nothing is known of the server yet')
    return { ...this.#watched, lost: this.lost }
  }

  async refresh(): Promise<void> {
    const client = this.#client
    const [status, all, partitions, stressors] = await Promise.all([
      client.status(),
      client.proxies(),
      client.partitions(),
      client.stressors(),
    ])
    const proxies = this.#proxy === undefined ? all : all.filter(({ name }) => name === this.#proxy)
    this.#rates.update(proxies, performance.now())
    this.lost = undefined
    const known = { url: client.url, status, proxies, partitions, stressors }
    this.#watched = { ...known, rates: this.#rates, entries: this.#entries, lost: undefined }
  }

  /** Learns what has happened before. @returns the sequence that it knows everything up to */
  async recall(types: readonly string[]): Promise<number> {
    const { total, events } = await this.#client.events({ types, proxy: this.#proxy, limit: RECALLED_ENTRIES })
    this.#entries.push(...events)
    return total
  }

  add(entry: FeedEntryView): void {
    this.#entries.push(entry)
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift()
  }
}

/** Does something every so often, one at a time, and earlier on request. */
class Refresher {
  readonly #refresh: () => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #isRunning = false
  #isWanted = false
  #isOver = false

  constructor(refresh: () => Promise<void>) {
    this.#refresh = refresh
    this.#wait(REFRESH_MS)
  }

  /** Many requests at once are one. */
  soon(): void {
    if (this.#isWanted) return
    this.#isWanted = true
    if (!this.#isRunning) this.#wait(MIN_REFRESH_GAP_MS)
  }

  end(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #wait(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isOver) return
    this.#timer = setTimeout(() => void this.#run(), delayMs)
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    this.#isWanted = false
    try {
      await this.#refresh()
    } finally {
      this.#isRunning = false
      this.#wait(this.#isWanted ? MIN_REFRESH_GAP_MS : REFRESH_MS)
    }
  }
}
