// Bytes of an event stream in, events out, as the HTML standard parses them (section 9.2.6, "Interpreting an event
// stream"). Does no I/O.
import { StringDecoder } from 'node:string_decoder'

export interface ServerSentEvent {
  /** The latest `id` of the stream so far, which an event without one inherits. Empty before the first. */
  readonly lastEventId: string
  /** Default `message`. */
  readonly type: string
  readonly data: string
}

/** An event longer than this is none that a server of ours sends. */
const MAX_EVENT_CHARACTERS = 1024 * 1024

export class EventStreamParser {
  readonly #decoder = new StringDecoder('utf8')
  /** Of a line whose end has not come. */
  #rest = ''
  #isStart = true
  #lastEventId = ''
  #type = ''
  #data: string[] = []
  #dataCharacters = 0

  /** The events that end in these bytes. @throws RangeError if one has no end */
  push(chunk: Buffer): ServerSentEvent[] {
    let text = this.#rest + this.#decoder.write(chunk)
    if (this.#isStart && text !== '') {
      if (text.startsWith('\uFEFF')) text = text.slice(1)
      this.#isStart = false
    }
    // A CR at the end may be half of a CRLF.
    const lines = text.split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    const events = lines.flatMap((line) => this.#readLine(line) ?? [])
    if (this.#rest.length + this.#dataCharacters > MAX_EVENT_CHARACTERS) {
      throw new RangeError(`an event of more than ${MAX_EVENT_CHARACTERS} characters`)
    }
    return events
  }

  #readLine(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch()
    const [field, value] = splitOnce(line)
    if (field === 'data') {
      this.#data.push(value)
      this.#dataCharacters += value.length
    } else if (field === 'event') this.#type = value
    else if (field === 'id' && !value.includes('\0')) this.#lastEventId = value
    return undefined
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = { lastEventId: this.#lastEventId, type: this.#type || 'message', data: this.#data.join('\n') }
    const isEvent = this.#data.length > 0
    this.#type = ''
    this.#data = []
    this.#dataCharacters = 0
    return isEvent ? event : undefined
  }
}

/** `name: value`, with one space after the colon or none. A comment has an empty name. */
function splitOnce(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  if (colon < 0) return [line, '']
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')]
}
