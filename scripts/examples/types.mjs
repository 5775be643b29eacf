// What TypeScript says of the package to its users: every entry point, from ES modules and from CommonJS.
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './user-folder.mjs'

/** Uses the package as projects do, in words that are right in both kinds of module. */
const consumer = join(import.meta.dirname, 'consumer.ts')

/** Their types are extended or used by entry points of ours. */
const PEERS = ['@playwright/test', '@types/node', 'jest', 'testcontainers', 'typescript', 'vitest']

/** What jest brings along, and its users import. */
export const PARTS_OF_JEST = ['@jest/globals', 'expect']

/** The guide's words for those who import jest's `expect`, and what they are good for. */
function jestGlobals() {
  const guide = readFileSync(join(root, 'docs', 'fixtures.md'), 'utf8')
  const block = guide
    .split('```')
    .find((text) => text.startsWith('ts types\n') && text.includes("declare module 'expect'"))
  if (block === undefined) throw new Error("docs/fixtures.md: expected a block of types with declare module 'expect'")
  const use = ["import { expect } from '@jest/globals'", "expect({}).toHaveInjected('latency')", 'expect({}).toBe(1)']
  return [block.slice('ts types\n'.length), ...use, '// @ts-expect-error', 'expect({}).toHaveInjected(7)', ''].join(
    '\n',
  )
}

/** Makes a project of it. @returns its folder's name */
export function writeConsumer(folder, { version, exports, devDependencies }) {
  mkdirSync(folder)
  const wanted = Object.fromEntries(PEERS.map((name) => [name, devDependencies[name]]))
  const manifest = { name: 'consumer', private: true, devDependencies: { ...wanted, faultline: `^${version}` } }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest))

  const entries = Object.entries(exports).filter(([, conditions]) => typeof conditions === 'object')
  const names = entries.map(([path]) => path.replace('.', 'faultline'))
  const modern = names.map((name, index) => `import * as entry${index} from '${name}'\nvoid entry${index}\n`)
  writeFileSync(join(folder, 'entries.mts'), modern.join(''))
  // What has no condition for it is for ES modules alone.
  const required = entries.flatMap(([path, { require }]) => (require ? [path.replace('.', 'faultline')] : []))
  const classic = required.map((name, index) => `import entry${index} = require('${name}')\nvoid entry${index}\n`)
  writeFileSync(join(folder, 'entries.cts'), classic.join(''))
  for (const file of ['consumer.mts', 'consumer.cts']) cpSync(consumer, join(folder, file))
  writeFileSync(join(folder, 'jest-globals.mts'), jestGlobals())
  return { entries: names.length, required: required.length }
}

/** How users may have set their compiler. */
export const compilers = ['node16', 'nodenext'].map((module) => ({
  name: `types for module ${module}`,
  args: ['--noEmit', '--strict', '--target', 'es2022', '--module', module, '--types', 'node'],
}))
