// All pages that users read, and what they name that has to be there: commands, links, calls of the API, npm's scripts.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { ROOT } from '../cli/support.ts'

interface PageBlock {
  readonly language: string
  readonly text: string
}

interface Page {
  /** From the repository's folder. */
  readonly path: string
  readonly prose: string
  readonly blocks: readonly PageBlock[]
}

export function readPages(): Page[] {
  const below = ['docs', 'examples', 'bench'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  const paths = [...readdirSync(ROOT), ...below].filter((path) => path.endsWith('.md'))
  return paths.filter((path) => !path.includes('node_modules')).map(readPage)
}

function readPage(path: string): Page {
  const blocks: PageBlock[] = []
  const text = readFileSync(join(ROOT, path), 'utf8')
  const prose = text.replaceAll(/^(```+)(\w*).*\n([\s\S]*?)^\1$/gm, (_, _fence, language: string, inside: string) => {
    blocks.push({ language, text: inside })
    return ''
  })
  return { path, prose, blocks }
}

// ---- links ---------------------------------------------------------------------------------------------------------

/** Those that lead to a file or a heading that there is not. */
export function brokenLinks(pages: readonly Page[]): string[] {
  const headings = new Map(pages.map(({ path, prose }) => [path, headingsOf(prose)]))
  return pages.flatMap(({ path, prose }) => {
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link)
    const broken = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false
      const [file = '', anchor] = link.split('#')
      const target = file === '' ? path : relative(ROOT, join(ROOT, dirname(path), file))
      if (!existsSync(join(ROOT, target))) return true
      return anchor !== undefined && headings.get(target)?.has(anchor) !== true
    })
    return broken.map((link) => `${path}: ${link}`)
  })
}

/** As GitHub names them. */
function headingsOf(prose: string): Set<string> {
  const titles = [...prose.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) => title)
  return new Set(
    titles.map((title) =>
      title
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}

// ---- what is typed -------------------------------------------------------------------------------------------------

/** Lines of shell as one types them: in blocks, and in the text between backquotes. */
function typedLines({ prose, blocks }: Page): string[] {
  const inBlocks = blocks.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.split(/(?<!\\)\n/))
  // A table's cell has a backslash in front of a bar.
  const inText = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code.replaceAll('\\|', '|'))
  return [...inBlocks, ...inText]
}

const PROGRAM =
  /(?:^|[\s(/])(?:npx faultline|\.bin\/faultline|(?:exec|--) (?:faultline )?faultline|node dist\/esm\/cli\/main\.js)(?= |$)/g

/** Command lines of ours, each as the words behind the program's name. */
export function commandsOf(page: Page): string[][] {
  return typedLines(page).flatMap((line) => {
    const starts = [...line.matchAll(PROGRAM)].map((found) => found.index + found[0].length)
    const alone = /^faultline (?=\w)/.exec(line)
    if (alone) starts.push(alone[0].length)
    return starts.map((start) => wordsOf(line.slice(start)))
  })
}

/** As a shell has them, up to where another command or a redirection begins. */
function wordsOf(line: string): string[] {
  const [command = ''] = /^(?:\\\n|'[^']*'|"[^"]*"|[^'"|;&<>#)]|(?<=\S)#)*/.exec(line) ?? []
  const words = command.replaceAll('\\\n', ' ').match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? []
  // A number in front of a redirection is part of that.
  if (line[command.length] === '>' && /\d$/.test(command)) words.pop()
  return words.map((word) => word.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
}

/** Scripts of npm that a page says can be run. */
export function npmScriptsOf(page: Page): string[] {
  return typedLines(page).flatMap((line) =>
    [...line.matchAll(/\bnpm run (?:--silent )?([\w:-]+)/g)].map(([, name = '']) => name),
  )
}

/** Calls of the API: `GET /v1/faults`, also from curl without a method in front. */
export function callsOf(page: Page): string[] {
  return typedLines(page).flatMap((line) => {
    const [, method, path] = /^(GET|POST|PUT|PATCH|DELETE) (\/(?:\{[^}]*\}|[^\s?])*)/.exec(line) ?? []
    if (method !== undefined) return [`${method} ${path}`]
    const [, called] = /\bcurl\b.*127\.0\.0\.1:8474(\/v1\/[^\s?'"]*)/.exec(line) ?? []
    if (called === undefined) return []
    const [, given] = /-X (\w+)/.exec(line) ?? []
    return [`${given ?? (/ (?:--json|-d)\b/.test(line) ? 'POST' : 'GET')} ${called}`]
  })
}
