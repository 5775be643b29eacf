// What may differ between what a guide shows and what a command prints today, and how far.

interface Tolerance {
  readonly pattern: RegExp
  readonly accepts: (shown: string, printed: string) => boolean
}

const tolerances: readonly Tolerance[] = [
  { pattern: /^date: .+ GMT$/gim, accepts: () => true },
  // What depends on the hour, or on what else has been done before.
  { pattern: /"(?:timeMs|sequence|total|connection)":[\d.]+/g, accepts: () => true },
  // A fault may never be faster than it says (curl's clock may be a little); later it may be by less than the 2 s that
  // the guide's longest fault takes, so that what comes at once can't be mistaken for what has waited for it.
  {
    pattern: /\b\d+\.\d+ s\b/g,
    accepts: (shown, printed) => isBetween(parseFloat(printed), parseFloat(shown) - 0.02, parseFloat(shown) + 1.5),
  },
  // Counted down from the first request.
  {
    pattern: /(?<=^(?:Retry-After|RateLimit-Reset): )\d+$/gm,
    accepts: (shown, printed) => isBetween(Number(printed), Number(shown) - 5, Number(shown)),
  },
]

function isBetween(value: number, least: number, most: number): boolean {
  return value >= least && value <= most
}

/** What was printed, with what may differ as it is shown: what is left of differences is wrong. */
export function asShown(printed: string, shown: string): string {
  let text = printed.replaceAll('\r\n', '\n')
  for (const { pattern, accepts } of tolerances) {
    const wanted = shown.match(pattern) ?? []
    let index = 0
    text = text.replace(pattern, (found) => {
      const other = wanted[index++]
      return other !== undefined && accepts(other, found) ? other : found
    })
  }
  return text
}
