// A guide whose blocks of JavaScript are one script, from top to bottom: runs it, and tells what each block has printed.
import type { Section } from './docs-markdown.ts'

export interface ScriptBlock {
  /** In the guide. */
  readonly line: number
  readonly code: string
  /** What the guide shows below it; empty if nothing. */
  readonly output: string
}

/** What is printed in front of each block's own output. */
const BEGIN = '=== the block at line'

/** The `js` blocks without a note, each with the `text` block right behind it. */
export function scriptOf(sections: readonly Section[]): ScriptBlock[] {
  const blocks = sections.flatMap((section) => section.blocks)
  return blocks.flatMap(({ language, note, text, line }, index) => {
    if (language !== 'js' || note !== '') return []
    const next = blocks[index + 1]
    return [{ line, code: text, output: next?.language === 'text' ? next.text.trimEnd() : '' }]
  })
}

/** As one program that says where each block begins. */
export function programOf(blocks: readonly ScriptBlock[]): string {
  return blocks.map(({ line, code }) => `console.log('${BEGIN} ${line}')\n${code}`).join('\n')
}

/** What the blocks have printed, by their line. */
export function outputsOf(stdout: string): Map<number, string> {
  const [, ...parts] = stdout.split(new RegExp(`^${BEGIN} (\\d+)\\n`, 'm'))
  const outputs = new Map<number, string>()
  for (let index = 0; index < parts.length; index += 2) {
    outputs.set(Number(parts[index]), (parts[index + 1] ?? '').trimEnd())
  }
  return outputs
}
