// What of a body is too much.

/** Largest request body. A populate of 5,000 proxies is half of it. */
export const BODY_LIMIT_BYTES = 1024 * 1024

/** Far deeper than any body of the APIs: a fault's attributes are at 4, a JSON value in one a little deeper. */
export const MAX_JSON_DEPTH = 64

export const JSON_DEPTH_EXPECTED = `JSON that nests at most ${MAX_JSON_DEPTH} levels deep`

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPENING_BRACKET = 0x5b
const OPENING_BRACE = 0x7b
const CLOSING_BRACKET = 0x5d
const CLOSING_BRACE = 0x7d

/** Whether arrays and objects nest deeper than that; of a text that is not JSON, anything. */
export function nestsTooDeeply(text: string, maxDepth = MAX_JSON_DEPTH): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (inString) {
      if (code === BACKSLASH) i++
      else if (code === QUOTE) inString = false
    } else if (code === QUOTE) inString = true
    else if (code === OPENING_BRACKET || code === OPENING_BRACE) {
      if (++depth > maxDepth) return true
    } else if (code === CLOSING_BRACKET || code === CLOSING_BRACE) depth--
  }
  return false
}
