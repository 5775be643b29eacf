// The bytes that HTTP/1.x heads and chunk lines are made of, and what they mean there (RFC 9110 section 5.6, RFC 9112).

export const LF = 10
export const CR = 13
export const TAB = 9
export const SPACE = 32
export const COLON = 58
export const SEMICOLON = 59

/** A space or a tab. */
export function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB
}

/** NaN for what is no digit, which stays NaN in sums. */
export function digit(byte: number): number {
  return byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : Number.NaN
}

/** -1 for what is no hexadecimal digit. */
export function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1
}

/** RFC 9110 section 5.6.2. */
const TOKEN_BYTES = new Uint8Array(256)
for (let byte = SPACE + 1; byte < 127; byte++) {
  TOKEN_BYTES[byte] = '"(),/:;<=>?@[\\]{}'.includes(String.fromCharCode(byte)) ? 0 : 1
}

/** A byte that methods and names of headers are made of. */
export function isTokenByte(byte: number): boolean {
  return TOKEN_BYTES[byte] === 1
}

/** Only spaces and tabs, unlike trim(). By hand: a regular expression takes quadratic time in a value of blanks. */
export function trimBlanks(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}
