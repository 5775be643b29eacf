// Server-sent events for tests: streams at random, what is in them by the standard, and the running form of a fault.
import fc, { type Arbitrary } from 'fast-check'
import { InstalledFault, ManualClock, type InjectionDetail } from '../../proxy/index.ts'
import type { Stage } from '../../proxy/faults/fault.ts'
import type { HttpMessage, HttpRule } from '../../proxy/faults/http/http-fault.ts'
import { HttpHead } from '../../proxy/protocols/http/head.ts'
import { HttpRequest } from '../../proxy/protocols/http/request.ts'
import { Random } from '../../proxy/random.ts'

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'

/** A stage of sse_stall or sse_drop by itself on the fake clock. */
export class IsolatedSse {
  readonly clock = new ManualClock()
  readonly stage: Stage<unknown>
  readonly acts: { action: string; detail: InjectionDetail }[] = []
  readonly signals: string[] = []
  #passed: Buffer[] = []

  constructor(type: string, attributes: Readonly<Record<string, number>>) {
    const rule = InstalledFault.fromSpec({ type, attributes }).rule as HttpRule
    const message: HttpMessage = {
      phase: 'response',
      request: new HttpRequest('GET / HTTP/1.1\r\n\r\n'),
      head: new HttpHead(HEAD),
      body: 'chunked',
      contentLength: -1,
      number: 1,
      outstanding: 0,
    }
    const verdict = rule.decide(message, { clock: this.clock, random: new Random(1) })
    if (verdict.kind !== 'stages' || !verdict.body) throw new Error(`no stage of ${type}`)
    this.stage = verdict.body({
      clock: this.clock,
      random: new Random(1),
      maxHeldBytes: 1_048_576,
      record: (action, detail = {}) => void this.acts.push({ action, detail }),
      released: () => {},
      limitReached: () => {},
    })
    this.stage.next = {
      write: (chunk) => void this.#passed.push(Buffer.from(chunk)),
      end: () => void this.signals.push('end'),
      close: () => void this.signals.push('close'),
      reset: () => void this.signals.push('reset'),
    }
    this.stage.start()
  }

  /** Lends the stage a chunk: its memory is overwritten as soon as the stage has it. */
  write(chunk: Buffer): void {
    const lent = Buffer.from(chunk)
    this.stage.write(lent)
    lent.fill(0xff)
  }

  /** All that has been passed on. */
  get text(): string {
    return Buffer.concat(this.#passed).toString('latin1')
  }
}

const anyLine = fc.constantFrom(
  'data: x',
  'data: y',
  'data',
  'data:',
  '',
  '',
  '',
  ': comment',
  'id: 1',
  'event: e',
  'dataset: no',
  ' data: no',
  'DATA: no',
  'd',
  `data: ${'long '.repeat(50)}`,
)

/** Lines with all kinds of ends, of which the last may be missing. */
export const anyStream: Arbitrary<string> = fc
  .tuple(
    fc.constantFrom('', '', '\u00ef\u00bb\u00bf'),
    fc.array(fc.tuple(anyLine, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 20 }),
    fc.constantFrom('', 'data: not complete', 'dat'),
  )
  .map(([mark, lines, rest]) => mark + lines.map((line) => line.join('')).join('') + rest)

export interface Block {
  readonly text: string
  readonly isEvent: boolean
  /** False for what is left at the end. */
  readonly complete: boolean
}

/** The blocks between empty lines, by WHATWG HTML section 9.2.5, the other way: by whole lines. */
export function blocksOf(stream: string): Block[] {
  const blocks: Block[] = []
  let text = ''
  let isEvent = false
  const lines = stream.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? []
  lines.forEach((line, index) => {
    const content = (index === 0 ? line.replace('\u00ef\u00bb\u00bf', '') : line).replace(/[\r\n]+$/, '')
    const ended = /[\r\n]$/.test(line)
    text += line
    if (/^data(:|$)/.test(content) && (ended || content.includes(':'))) isEvent = true
    if (content !== '' || !ended) return
    blocks.push({ text, isEvent, complete: true })
    text = ''
    isEvent = false
  })
  if (text !== '') blocks.push({ text, isEvent, complete: false })
  return blocks
}
