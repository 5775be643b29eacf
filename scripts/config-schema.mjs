// Writes the JSON Schemas that editors check files with, from the built sources' own schemas: faultline.schema.json for
// faultline.yaml, faultline-experiment.schema.json for experiments.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = join(import.meta.dirname, '..')
const built = (...path) => pathToFileURL(join(root, 'dist', 'esm', ...path)).href

/** To the package's folder: `$schema=./node_modules/faultline/faultline.schema.json`. */
export async function writeConfigSchema(file = join(root, 'faultline.schema.json')) {
  const { configJsonSchema } = await import(built('admin', 'config', 'json-schema.js'))
  writeFileSync(file, `${JSON.stringify(configJsonSchema())}\n`)
}

export async function writeExperimentSchema(file = join(root, 'faultline-experiment.schema.json')) {
  const { experimentJsonSchema } = await import(built('experiments', 'file', 'json-schema.js'))
  writeFileSync(file, `${JSON.stringify(experimentJsonSchema())}\n`)
}

if (process.argv[1] === import.meta.filename) await writeConfigSchema(process.argv[2])
