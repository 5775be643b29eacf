// Packs the package, and runs examples/ with it outside of the repository: each by its own runner, as its users would.
// Checks the types, too. Needs a build. Ends with "N passed, N failed"; --report FILE keeps these numbers as JSON.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { startDatabase } from './examples/database.mjs'
import { plainEnvironment, runToEnd } from './examples/run.mjs'
import { compilers, PARTS_OF_JEST, writeConsumer } from './examples/types.mjs'
import { PackedPackage, root } from './examples/user-folder.mjs'

const { values: options, positionals: only } = parseArgs({
  options: { report: { type: 'string' } },
  allowPositionals: true,
})

const results = { passed: 0, failed: 0, skipped: 0 }
const packed = new PackedPackage()
const database = await startDatabase()
try {
  await checkAll()
} finally {
  await database.stop()
}
if (options.report !== undefined) writeFileSync(options.report, JSON.stringify(results))
if (results.skipped > 0) console.log(`${results.skipped} skipped`)
console.log(`${results.passed} passed, ${results.failed} failed`)
process.exitCode = results.failed > 0 || results.passed === 0 ? 1 : 0

async function checkAll() {
  const DATABASE_URL = database.url
  await check('plain-node', ['start'])
  await check('node-test', ['test'])
  await check('vitest', ['test', 'types'], { DATABASE_URL })
  await check('jest', ['test', 'test:esm'], { DATABASE_URL })
  const CHROMIUM = findChromium()
  await check('playwright', ['types'])
  if (CHROMIUM !== undefined) await check('playwright', ['test'], { CHROMIUM, PORT: String(await freePort()) })
  else skip('examples/playwright: npm run test', 'there is no Chromium: apt-get install chromium, or set CHROMIUM')
  await checkTypes()
}

/** Runs scripts of an example. */
async function check(example, scripts, env = {}) {
  if (only.length > 0 && !only.includes(example)) return
  for (const script of scripts) {
    await step(`examples/${example}: npm run ${script}`, async () => {
      const cwd = folderOf(example)
      await runToEnd('npm', ['run', '--silent', script], { cwd, env: plainEnvironment(env) })
    })
  }
}

function folderOf(example) {
  const folder = join(packed.folder, example)
  return existsSync(folder) ? folder : packed.install(example, join(root, 'examples', example))
}

async function checkTypes() {
  if (only.length > 0 && !only.includes('types')) return
  const project = join(packed.folder, 'consumer-files')
  const { entries, required } = writeConsumer(project, packed.manifest)
  const cwd = packed.install('consumer', project, PARTS_OF_JEST)
  const files = ['entries.mts', 'entries.cts', 'consumer.mts', 'consumer.cts', 'jest-globals.mts']
  for (const { name, args } of compilers) {
    await step(`${name}: ${entries} entry points imported, ${required} required`, () =>
      runToEnd('node_modules/.bin/tsc', [...args, ...files], { cwd, env: plainEnvironment() }),
    )
  }
}

async function step(name, work) {
  const startMs = performance.now()
  try {
    await work()
    results.passed++
    console.log(`passed  ${name} (${((performance.now() - startMs) / 1000).toFixed(1)} s)`)
  } catch (error) {
    results.failed++
    console.log(`FAILED  ${name}\n${error.message}`)
  }
}

function skip(name, reason) {
  if (only.length > 0 && !only.some((word) => name.includes(word))) return
  results.skipped++
  console.log(`SKIPPED ${name}: ${reason}`)
}

/** One of the machine; Playwright's own would be a download. */
function findChromium() {
  const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  return process.env.CHROMIUM ?? known.find((path) => existsSync(path))
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}
