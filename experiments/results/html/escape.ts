// HTML by template: what is put into it is text, unless it is HTML already.

/** Text that is HTML. Made by {@link html} only, so that nothing else can pass for it. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = Html | string | number | undefined | readonly Part[]

/** `html\`<b>${title}</b>\`` escapes the title; undefined is nothing, a list is all of it. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.reduce((text, next, index) => text + toHtml(parts[index - 1]) + next))
}

function toHtml(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  if (typeof part === 'object') return part.map(toHtml).join('')
  return escapeHtml(String(part))
}

/** For text and for attributes in quotes. */
function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** JSON that is safe within `<script type="application/json">`: nothing in it ends or opens an element or a comment. */
export function scriptJson(value: unknown): Html {
  const text = JSON.stringify(value)
  return new Html(text.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${hexOf(character)}`))
}

function hexOf(character: string): string {
  return character.charCodeAt(0).toString(16).padStart(4, '0')
}
