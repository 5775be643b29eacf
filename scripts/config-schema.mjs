// Writes faultline.schema.json, which editors check a faultline.yaml with, from the built sources' own schemas.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')
const built = pathToFileURL(join(root, 'dist', 'esm', 'admin', 'config', 'json-schema.js'))

/** To the package's folder: `$schema=./node_modules/faultline/faultline.schema.json`. */
export async function writeConfigSchema(file = join(root, 'faultline.schema.json')) {
  const { configJsonSchema } = await import(built.href)
  writeFileSync(file, `${JSON.stringify(configJsonSchema())}\n`)
}

if (process.argv[1] === import.meta.filename) await writeConfigSchema(process.argv[2])
