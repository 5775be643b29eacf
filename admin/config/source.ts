// A configuration file as text: what it says as plain values, and at which line and column it says what.
import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  parseDocument,
  Scalar,
  visit,
  type Document,
  type ScalarTag,
  type YAMLError,
} from 'yaml'
import { FaultlineError } from '../../proxy/index.ts'
import { describeValue, joinPath } from '../../proxy/validate.ts'
import { ConfigError, type ConfigProblem, type Place } from './config-error.ts'
import { Interpolation, type Environment } from './interpolation.ts'

/** How deep values may be nested; attributes of faults need about ten levels. */
const MAX_DEPTH = 64
/** What aliases (`*name`) may stand for in all: "a billion laughs" is a small file. */
const MAX_ALIASES = 1000

/** The lexer's tokens that are no text: the begin of a document and of a scalar, the end of a flow collection. */
const LEXER_MARKERS: ReadonlySet<string> = new Set(['\u0002', '\u001f', '\u0018'])

/** What was found on the way to a field. */
interface Found {
  /** The key that leads to the node, in a map. */
  readonly key: unknown
  readonly node: unknown
  /** What of the field there is not in the file. */
  readonly rest: string
}

export class ConfigSource {
  readonly file: string
  /** What the file says, with variables filled in. */
  readonly value: unknown
  /** What is wrong and lets the rest be read all the same: keys that come twice, variables that are not set. */
  readonly problems: readonly ConfigProblem[]
  readonly #document: Document.Parsed
  readonly #interpolation: Interpolation
  /** Values with variables that could not be filled in. */
  readonly #unfilled = new Set<unknown>()

  /**
   * @param file its name, for messages
   * @param text YAML, or JSON, which is YAML, too
   * @throws ConfigError if the text can't be read
   */
  constructor(file: string, text: string, environment: Environment) {
    this.file = file
    this.#interpolation = new Interpolation(text, environment)
    const hidden = this.#interpolation.text
    this.#checkBrackets(hidden)
    this.#document = parseDocument(hidden, { stringKeys: true, prettyErrors: false, logLevel: 'error' })
    const { errors, warnings, contents } = this.#document
    // One mistake makes several errors: only the first one tells something.
    const syntax = [...errors, ...warnings].find(({ code }) => code !== 'DUPLICATE_KEY')
    const language = /\.json$/i.test(file) ? 'JSON' : 'YAML'
    if (syntax) throw this.#broken(`${language}: ${this.#interpolation.restore(syntax.message)}`, syntax.pos[0])
    const wrongKeys = this.#fill(contents, '')
    this.value = this.#toValue()
    this.problems = [
      ...errors.map((error) => this.#duplicate(error)),
      ...wrongKeys,
      ...this.#interpolation.problems.map(({ offset, expected, got }) =>
        this.#problem(`expected ${expected}, got ${describeValue(got)}`, expected, offset),
      ),
    ]
  }

  /** Where the fields of errors stand in the file, or where they are missing. */
  locate(errors: readonly FaultlineError[]): ConfigProblem[] {
    return errors.flatMap((error) => {
      const { code, field = '', expected, message } = error
      const { key, node, rest } = this.#find(this.#document.contents, field, null)
      // What a variable without a value should have been is not the mistake.
      if (this.#unfilled.has(node)) return []
      const atKey = code === 'unknown_field' || rest !== ''
      const start = (atKey ? startOf(key) : undefined) ?? startOf(node) ?? startOf(key) ?? 0
      return { file: this.file, ...this.#place(start), code, field, expected, message }
    })
  }

  #toValue(): unknown {
    let value: unknown
    try {
      value = this.#document.toJS({ maxAliasCount: MAX_ALIASES })
    } catch (error) {
      if (!(error instanceof ReferenceError)) throw error
      const reason = error.message.startsWith('Unresolved') ? error.message : `at most ${MAX_ALIASES} aliases`
      throw this.#broken(reason, this.#firstAlias())
    }
    const tooDeep = fieldBelow(value, MAX_DEPTH)
    if (tooDeep === undefined) return value
    const expected = `at most ${MAX_DEPTH} levels`
    const details = { field: tooDeep, expected }
    throw new ConfigError(
      this.locate([new FaultlineError('invalid_value', `${tooDeep}: expected ${expected}`, details)]),
    )
  }

  /** A hundred thousand brackets would keep the parser busy for seconds. */
  #checkBrackets(text: string): void {
    let depth = 0
    let offset = 0
    for (const token of new Lexer().lex(text)) {
      if (token === '[' || token === '{') depth++
      else if (token === ']' || token === '}') depth--
      if (depth > MAX_DEPTH) throw this.#broken(`at most ${MAX_DEPTH} levels`, offset)
      if (!LEXER_MARKERS.has(token)) offset += token.length
    }
  }

  #firstAlias(): number {
    let start = 0
    visit(this.#document, {
      Alias: (_key, node) => {
        start = node.range?.[0] ?? 0
        return visit.BREAK
      },
    })
    return start
  }

  /** Fills variables in. Returns what is wrong with keys, in which there may be none. */
  #fill(node: unknown, field: string): ConfigProblem[] {
    if (isMap(node)) {
      return node.items.flatMap(({ key, value }) => {
        const name = textOf(key)
        const below = this.#fill(value, joinPath(field, this.#interpolation.restore(name)))
        return this.#interpolation.touches(name) ? [this.#variableInKey(key, name, field), ...below] : below
      })
    }
    if (isSeq(node)) return node.items.flatMap((item, index) => this.#fill(item, joinPath(field, String(index))))
    if (!isScalar(node) || typeof node.value !== 'string' || !this.#interpolation.touches(node.value)) return []
    const { problems } = this.#interpolation
    const problemsBefore = problems.length
    const filled = this.#interpolation.fill(node.value, startOf(node) ?? 0)
    if (problems.length > problemsBefore) {
      this.#unfilled.add(node)
      node.value = this.#interpolation.restore(node.value)
      return []
    }
    const isPlain = node.type === Scalar.PLAIN && node.tag === undefined
    node.value = isPlain ? resolvePlain(filled.trim(), this.#document) : filled
    return []
  }

  #variableInKey(key: unknown, name: string, field: string): ConfigProblem {
    const expected = 'a key without ${…}, which is for values'
    const path = joinPath(field, this.#interpolation.restore(name))
    return { ...this.#problem(`${path}: expected ${expected}`, expected, startOf(key) ?? 0), field: path }
  }

  #duplicate({ pos }: YAMLError): ConfigProblem {
    return this.#problem('expected each key once, got one twice', 'each key once', pos[0])
  }

  #broken(expected: string, offset: number): ConfigError {
    return new ConfigError([this.#problem(`expected ${expected}`, expected, offset)])
  }

  #problem(message: string, expected: string, offset: number): ConfigProblem {
    return { file: this.file, ...this.#place(offset), code: 'invalid_value', field: '', expected, message }
  }

  #place(offset: number): Place {
    const before = this.#interpolation.text.slice(0, offset)
    return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
  }

  /** The node of a field. Names may have dots in them, so that several keys may lead on; the longest way counts. */
  #find(start: unknown, field: string, key: unknown): Found {
    const node = isAlias(start) ? start.resolve(this.#document) : start
    let best: Found = { key, node: start, rest: field }
    if (field === '') return best
    for (const [name, entryKey, value] of entriesOf(node)) {
      if (field !== name && !field.startsWith(`${name}.`)) continue
      const found = this.#find(value, field.slice(name.length + 1), entryKey)
      if (found.rest.length < best.rest.length) best = found
    }
    return best
  }
}

type Entry = readonly [name: string, key: unknown, value: unknown]

function entriesOf(node: unknown): Entry[] {
  if (isMap(node)) return node.items.map(({ key, value }): Entry => [textOf(key), key, value])
  return isSeq(node) ? node.items.map((item, index): Entry => [String(index), undefined, item]) : []
}

function textOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : ''
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

/** A plain value as YAML reads it, which takes numbers, booleans and null by how they look. */
function resolvePlain(text: string, { schema, options }: Document.Parsed): unknown {
  const tag = schema.tags.find(
    (candidate): candidate is ScalarTag =>
      candidate.default === true && candidate.collection === undefined && candidate.test?.test(text) === true,
  )
  const value: unknown = tag ? tag.resolve(text, () => {}, options) : text
  return isScalar(value) ? value.value : value
}

/** The first field that lies below this level, or undefined if there is none. */
function fieldBelow(value: unknown, levels: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  if (levels === 0) return ''
  for (const [name, inner] of Object.entries(value)) {
    const field = fieldBelow(inner, levels - 1)
    if (field !== undefined) return joinPath(name, field)
  }
  return undefined
}
