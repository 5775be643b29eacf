// Builds dist/esm and dist/cjs, each from scratch, with the TypeScript compiler alone.
import { spawnSync } from 'node:child_process'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { writeConfigSchema, writeExperimentSchema } from './config-schema.mjs'

const root = join(import.meta.dirname, '..')
const typescript = createRequire(import.meta.url).resolve('typescript/package.json')
const tsc = join(dirname(typescript), 'bin', 'tsc')

rmSync(join(root, 'dist'), { recursive: true, force: true })
for (const project of ['tsconfig.esm.json', 'tsconfig.cjs.json']) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, project)], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
// Without this, Node would read dist/cjs as ES modules (the package is type: module).
writeFileSync(join(root, 'dist', 'cjs', 'package.json'), '{ "type": "commonjs" }\n')
chmodSync(join(root, 'dist', 'esm', 'cli', 'main.js'), 0o755)
await writeConfigSchema()
await writeExperimentSchema()
