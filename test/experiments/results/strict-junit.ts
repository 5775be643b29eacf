// Reads JUnit XML as strictly as the strictest schema in use, junit-10.xsd of Jenkins' xUnit plugin: elements, their
// order of nesting and attributes that it does not have are errors, and so is all that is not well-formed.

export interface Element {
  readonly name: string
  readonly attributes: Record<string, string>
  readonly children: Element[]
  text: string
}

interface Rule {
  readonly required: readonly string[]
  readonly optional?: readonly string[]
  readonly children?: readonly string[]
  readonly hasText?: boolean
}

const result: Rule = { required: [], optional: ['type', 'message'], hasText: true }

const rules: Readonly<Record<string, Rule>> = {
  testsuite: {
    required: ['name', 'tests', 'failures', 'errors'],
    optional: ['group', 'time', 'skipped', 'timestamp', 'hostname', 'id', 'package', 'file', 'log', 'url'],
    children: ['testsuite', 'properties', 'testcase', 'system-out', 'system-err'],
  },
  properties: { required: [], children: ['property'] },
  property: { required: ['name', 'value'] },
  testcase: {
    required: ['name'],
    optional: ['time', 'classname', 'group'],
    children: ['skipped', 'error', 'failure', 'system-out', 'system-err'],
  },
  failure: result,
  error: result,
  skipped: result,
  'system-out': { required: [], hasText: true },
  'system-err': { required: [], hasText: true },
}

/** A tag, a section of characters, or text. */
const PART = /<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)([a-z-]+)((?:\s+[a-z]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy

/** @throws Error for the first thing that is wrong */
export function parseStrictJunit(xml: string): Element {
  const declaration = '<?xml version="1.0" encoding="UTF-8"?>'
  if (!xml.startsWith(declaration)) throw new Error(`expected ${declaration}`)
  // XML 1.0, section 2.2.
  const wrong = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/u.exec(xml)
  if (wrong) throw new Error(`a character that can't be in XML at ${wrong.index}`)
  const document: Element = { name: '', attributes: {}, children: [], text: '' }
  const open = [document]
  PART.lastIndex = declaration.length
  while (PART.lastIndex < xml.length) {
    const at = PART.lastIndex
    const part = PART.exec(xml)
    if (!part) throw new Error(`not well-formed at ${at}: ${xml.slice(at, at + 60)}`)
    const [, section, end, name, attributes = '', empty, text] = part
    const parent = open.at(-1)!
    if (name === undefined) parent.text += section ?? unescape(text ?? '')
    else if (end) {
      if (open.pop()!.name !== name) throw new Error(`${name} ends within ${parent.name}`)
      check(parent)
    } else {
      const element = { name, attributes: attributesOf(attributes), children: [], text: '' }
      parent.children.push(element)
      if (empty) check(element)
      else open.push(element)
    }
  }
  const [root] = document.children
  if (open.length > 1 || root?.name !== 'testsuite' || document.children.length > 1)
    throw new Error('expected one testsuite')
  return root
}

function attributesOf(text: string): Record<string, string> {
  const all = [...text.matchAll(/([a-z]+)="([^"]*)"/g)].map(([, name, value]) => [name!, unescape(value!)] as const)
  if (new Set(all.map(([name]) => name)).size < all.length) throw new Error(`an attribute twice in ${text}`)
  return Object.fromEntries(all)
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

function unescape(text: string): string {
  return text.replace(/&(#x([0-9A-Fa-f]+);|(lt|gt|amp|quot|apos);)?/g, (all, _body, hex: string, name: string) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16))
    if (name === undefined) throw new Error(`an ampersand that is none of an entity in ${text}`)
    return entities[name] ?? all
  })
}

function check({ name, attributes, children, text }: Element): void {
  const rule = rules[name]
  if (!rule) throw new Error(`there is no element ${name}`)
  for (const required of rule.required) if (!(required in attributes)) throw new Error(`${name} has no ${required}`)
  for (const attribute of Object.keys(attributes)) {
    const isKnown = rule.required.includes(attribute) || rule.optional?.includes(attribute)
    if (!isKnown) throw new Error(`${name} may not have ${attribute}`)
  }
  for (const child of children) if (!rule.children?.includes(child.name)) throw new Error(`${child.name} in ${name}`)
  if (!rule.hasText && text.trim() !== '') throw new Error(`text in ${name}: ${text}`)
  if (name === 'testsuite' && !/^\d*(\.\d*)?$/.test(attributes['time'] ?? ''))
    throw new Error('a time that is no decimal')
}
