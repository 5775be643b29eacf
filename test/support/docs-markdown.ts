// A guide of docs/ in parts: its sections, and in them the files to save, the commands to type and what they print.
import { readFileSync } from 'node:fs'

/** A fenced block. */
export interface Block {
  readonly language: string
  /** The fence's words behind the language, which no reader sees. */
  readonly note: string
  readonly text: string
  /** Where its fence is, from 1. */
  readonly line: number
}

export interface Section {
  readonly title: string
  readonly blocks: readonly Block[]
  /** Everything else. */
  readonly prose: string
}

/** Commands that are typed at once, and all that they print, if the guide shows it. */
export interface Step {
  readonly line: number
  readonly script: string
  readonly output: string | undefined
}

/** The sections of the second level; what comes before them is not one. */
export function readSections(path: string): Section[] {
  const sections: { title: string; blocks: Block[]; prose: string }[] = []
  let section: (typeof sections)[number] | undefined
  /** The fence of the block that the line is in, and the block. */
  let open: { readonly fence: string; readonly block: Block; readonly lines: string[] } | undefined
  for (const [index, line] of readFileSync(path, 'utf8').split('\n').entries()) {
    if (open) {
      if (line === open.fence) {
        section?.blocks.push({ ...open.block, text: open.lines.map((text) => `${text}\n`).join('') })
        open = undefined
      } else open.lines.push(line)
      continue
    }
    const [, fence, language = '', note = ''] = /^(```+)(\w*) ?(.*)$/.exec(line) ?? []
    if (fence !== undefined) open = { fence, block: { language, note, text: '', line: index + 1 }, lines: [] }
    else if (line.startsWith('## ')) sections.push((section = { title: line.slice(3), blocks: [], prose: '' }))
    else if (section) section.prose += `${line}\n`
  }
  return sections
}

/** Its `sh` blocks, each with the `text` block right behind it, but not those that have a note. */
export function stepsOf({ blocks }: Section): Step[] {
  return blocks.flatMap(({ language, note, text, line }, index) => {
    if (language !== 'sh' || note !== '') return []
    const next = blocks[index + 1]
    return [{ line, script: text, output: next?.language === 'text' ? next.text : undefined }]
  })
}

/**
 * Blocks of JavaScript that begin with `// name.mjs: what it is`, and those of YAML that begin with `# name.yaml: …`: the
 * files that a reader saves, by name.
 */
export function filesOf(sections: readonly Section[]): Map<string, string> {
  const blocks = sections.flatMap((section) => section.blocks)
  const scripts = blocks.filter(({ language }) => language === 'js')
  const documents = blocks.flatMap(({ language, text }): [string, string][] => {
    const name = language === 'yaml' ? /^# (\S+\.yaml): /.exec(text)?.[1] : undefined
    return name === undefined ? [] : [[name, text]]
  })
  return new Map([...scripts.map(({ text, line }): [string, string] => [nameOf(text, line), text]), ...documents])
}

function nameOf(text: string, line: number): string {
  const name = /^\/\/ (\S+\.mjs): /.exec(text)?.[1]
  if (name === undefined) throw new Error(`line ${line}: a file begins with // name.mjs: what it is`)
  return name
}

/** The cells of all rows of the tables in a section, without their heads. */
export function tableRows({ prose }: Section): string[][] {
  const lines = prose.split('\n').filter((line, index, all) => line.startsWith('|') && !isRule(all[index + 1]))
  return lines.filter((line) => !isRule(line)).map(cellsOf)
}

/** The line between the head of a table and its rows. */
function isRule(line: string | undefined): boolean {
  return line !== undefined && /^\|(?: *-+ *\|)+$/.test(line)
}

function cellsOf(row: string): string[] {
  const cells = row.split('|').slice(1, -1)
  return cells.map((cell) => cell.trim())
}

export function sectionOf(title: string, sections: readonly Section[]): Section {
  const found = sections.find((other) => other.title === title)
  if (!found) throw new Error(`there is no section "${title}"`)
  return found
}
