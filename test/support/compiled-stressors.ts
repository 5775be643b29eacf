// Stressors act in processes of their own, and Node itself can't run TypeScript. Importing this file compiles their source,
// once a run of the tests, into a temporary folder, and has the children that are forked from here run that. Types are stripped by what
// vitest strips them with.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { runFolder } from './run-folder.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What stressors are made of: folders with all below them, and the files of the data plane, which they use a few of. */
const SOURCES = [...filesBelow(join(ROOT, 'resource-stressors')), ...filesIn(join(ROOT, 'proxy'))]

const PRELOADED = `const Module = require('node:module')
  const { runMain } = Module
  Module.runMain = () => {
    const file = process.argv[1].replace(${JSON.stringify(ROOT)}, __dirname)
    process.argv[1] = file.replace(/\\.ts$/, '.js')
    runMain(process.argv[1])
  }`

type Transform = (file: string, code: string, options: object) => { readonly code: string }

/** Where the compiled stressors are, laid out as the source is. */
export const compiledRoot = join(runFolder(), 'stressors')

/** Preloaded into children: runs the compiled form of the source that they were told to run. */
const preloaded = join(compiledRoot, 'run-compiled.cjs')

if (!existsSync(compiledRoot)) compile()
process.execArgv.push('--require', preloaded)

/** Other processes of the run may do the same at this time: one is the first to have its folder in place. */
function compile(): void {
  const folder = mkdtempSync(join(runFolder(), 'compiling-'))
  const transform = stripper()
  for (const file of SOURCES) {
    const target = join(folder, relative(ROOT, file)).replace(/\.ts$/, '.js')
    mkdirSync(dirname(target), { recursive: true })
    const typescript = { rewriteImportExtensions: 'rewrite' }
    writeFileSync(target, transform(file, readFileSync(file, 'utf8'), { lang: 'ts', typescript }).code)
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  writeFileSync(join(folder, basename(preloaded)), PRELOADED)
  try {
    renameSync(folder, compiledRoot)
  } catch (error) {
    if (!existsSync(preloaded)) throw error
  }
}

/** vitest brings vite, which brings rolldown. */
function stripper(): Transform {
  const fromVitest = createRequire(createRequire(import.meta.url).resolve('vitest/package.json'))
  const fromVite = createRequire(fromVitest.resolve('vite/package.json'))
  return (fromVite('rolldown/utils') as { transformSync: Transform }).transformSync
}

function filesBelow(folder: string): string[] {
  const folders = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isDirectory())
  return [folder, ...folders.map(({ parentPath, name }) => join(parentPath, name))].flatMap(filesIn)
}

function filesIn(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  return files.map((name) => join(folder, name))
}
