// What the demo shows while it runs: a line a second of what became of the orders, on a terminal in place.
import type { Output } from '../output.ts'
import { cut } from '../watch/screen.ts'
import { seenText, Tally } from './tally.ts'
import type { World } from './world.ts'

const EVERY_MS = 1000

/** On a terminal: the commands above them must stay in sight, which 24 rows have. */
const SHOWN_LINES = 4

const ESCAPE = String.fromCharCode(0x1b)
const CLEAR_LINE_END = `${ESCAPE}[K` // ECMA-48

export interface Live {
  /** Resolves when no order is under way any more. */
  end(): Promise<void>
}

/** Takes orders, and shows them. */
export function showLive(world: World, out: Output): Live {
  const controller = new AbortController()
  const tally = new Tally()
  const orders = world.application.run(tally, controller.signal)
  const show = out.isScreen ? inPlace(out) : (line: string): void => out.line(line)
  const timer = setInterval(() => show(lineOf(world, tally, out)), EVERY_MS)
  return {
    async end() {
      clearInterval(timer)
      controller.abort()
      // What a fault holds back is let go: orders end at once.
      world.server.network.heal()
      await orders
    },
  }
}

/** Draws the latest lines over those before. */
function inPlace(out: Output): (line: string) => void {
  const lines: string[] = []
  return (line) => {
    const back = lines.length === 0 ? '' : `${ESCAPE}[${lines.length}A`
    lines.push(line)
    if (lines.length > SHOWN_LINES) lines.shift()
    // A line that does not fit would take two rows.
    const shown = lines.map((text) => `${cut(text, out.size.columns - 1)}${CLEAR_LINE_END}\n`)
    out.write(`${back}\r${shown.join('')}`)
  }
}

/** `22:14:05  76 orders/s  p95 9 ms  no errors  (payments: latency_downstream)`. */
function lineOf({ server }: World, tally: Tally, out: Output): string {
  const seen = tally.take()
  const time = new Date().toTimeString().slice(0, 8)
  const proxies = [...server.network.proxies]
  const faults = proxies.flatMap((proxy) => [...proxy.faults].map(({ name }) => `${proxy.name}: ${name}`))
  const text = `${time}${out.paint(seen.failed.size === 0 ? 'green' : 'red', seenText(seen))}`
  return faults.length === 0 ? text : `${text}  ${out.paint('dim', `(${faults.join(', ')})`)}`
}
