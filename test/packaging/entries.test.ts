// What the package is when it is imported by its name: one copy, and no more than is asked for.
import { expect, test } from 'vitest'
import { PATIENCE_MS, UserFolder } from './support.ts'

test(
  'importing faultline loads no admin server, whose packages take their time',
  { timeout: PATIENCE_MS },
  async () => {
    // The CommonJS build, as require.cache tells what has been loaded. Its imports are the ES build's.
    const script = `
    const { startNetwork } = require('faultline/jest')
    const { relative } = require('node:path')
    console.log(typeof startNetwork)
    console.log(Object.keys(require.cache).join('\\n'))`
    await using folder = await UserFolder.create({ 'main.cjs': script })
    const { code, stdout, output } = await folder.node('main.cjs')
    expect(code, output).toBe(0)
    expect(stdout).toContain('function')
    expect(stdout).not.toMatch(/node_modules\/(@?fastify|pino|prom-client|undici|yaml)|admin\/server|\/cli\//)
  },
)

test('required or imported, it is the same copy', { timeout: PATIENCE_MS }, async () => {
  const script = `
    import { createRequire } from 'node:module'
    import * as imported from 'faultline'
    import * as ofJest from 'faultline/jest'
    import * as ofNode from 'faultline/node-test'
    const required = createRequire(import.meta.url)('faultline')
    console.log(required.Network === imported.Network, ofJest.startNetwork === imported.startNetwork)
    console.log(ofNode.startNetwork === required.startNetwork)`
  await using folder = await UserFolder.create({ 'main.mjs': script })
  const { stdout, output } = await folder.node('main.mjs')
  expect(stdout, output).toBe('true true\ntrue\n')
})
