// What commands load before they do anything. Each package is tens of milliseconds, of every command that anybody types.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './support.ts'

const IMPORT = /^import\s+(?!type\b)(?:[^'"]*?\sfrom\s+)?'([^']+)'/gm
const EXPORT = /^export\s+(?:\*|\{[^}]*\})\s+from\s+'([^']+)'/gm

/** The packages that a module loads by itself and through others, each with the files that lead to it. */
function packagesOf(entry: string): Readonly<Record<string, string>> {
  const packages: Record<string, string> = {}
  const ways = new Map([[entry, entry]])
  for (const [file, way] of ways) {
    const source = readFileSync(join(ROOT, file), 'utf8')
    for (const [, name = ''] of [...source.matchAll(IMPORT), ...source.matchAll(EXPORT)]) {
      const found = join(dirname(file), name)
      if (name.startsWith('node:')) continue
      if (!name.startsWith('.')) packages[name] ??= way
      else if (!ways.has(found)) ways.set(found, `${way} > ${found}`)
    }
  }
  return packages
}

test('help, mistakes and completion load no package', () => {
  expect(packagesOf('cli/main.ts')).toEqual({})
})

test('commands that ask a server load an HTTP client and nothing else', () => {
  for (const client of ['admin/client.ts', 'admin/client/v1-client.ts']) {
    expect(Object.keys(packagesOf(client))).toEqual(['undici'])
  }
})

test('a server that has no configuration reads no YAML, and one that nobody asks for metrics makes none', () => {
  const packages = packagesOf('admin/index.ts')
  expect(packages).toHaveProperty('fastify')
  for (const name of ['yaml', 'prom-client', 'undici', 'pg', 'json-p3']) expect(packages).not.toHaveProperty(name)
})
