// What people read when a test of theirs has failed, by real runs of jest, node:test and Playwright: the seed and the
// injections, of that test alone. For vitest, test/fixtures/failure-report.test.ts does it.
import { expect, test } from 'vitest'
import { PATIENCE_MS, UserFolder, type Ended } from './support.ts'

/** Ends connections as they come, so that no server is needed: one injection for each. */
const shared = `
import net from 'node:net'
import { once } from 'node:events'
import { closeOnAccept } from 'faultline'

export async function useProxy(network) {
  const proxy = await network.proxy('p', { upstream: '127.0.0.1:1', checkUpstream: false, faults: [closeOnAccept()] })
  const client = net.connect(proxy.port, '127.0.0.1').resume()
  await once(client, 'close')
  return proxy
}
`

const SEED = 11

/** As the report shows it, with whatever a runner puts in front of its lines. */
const report = new RegExp(
  [
    `faultline: seed ${SEED} \\(to repeat: FAULTLINE_SEED=${SEED}\\)`,
    '  1 injection:',
    String.raw`    \+\d\.\d{3} s  p \\?#1 \w+  close_on_accept: \w+`,
  ].join('\\n(?:# |ℹ | {4})?'),
)

function expectOneReport({ code, output }: Ended, of: string): void {
  expect(code, output).toBe(1)
  expect(output).toMatch(report)
  expect(output.match(/faultline: seed/g)).toHaveLength(1)
  // The line above is the test's name.
  expect(output).toMatch(new RegExp(`^\\W*${of}\\n.*faultline: seed`, 'm'))
}

test('jest prints a report of the test that has failed, and ends by itself', { timeout: PATIENCE_MS }, async () => {
  const spec = `
    const { closeOnAccept, setupNetwork } = require('faultline/jest')
    const net = require('node:net')
    const { once } = require('node:events')
    ${shared.slice(shared.indexOf('export async')).replace('export ', '')}
    const network = setupNetwork({ seed: ${SEED} })
    beforeAll(() => network.listen())
    afterEach(() => network.reset())
    afterAll(() => network.close())
    test('passes', async () => expect(await useProxy(network)).toHaveInjected('close_on_accept'))
    test('fails', async () => expect(await useProxy(network)).toHaveInjected({ times: 2 }))
    test('passes again', async () => expect(network).not.toHaveInjected())`
  await using folder = await UserFolder.create({
    'a.test.js': spec,
    'jest.config.js': 'module.exports = { transform: {} }',
  })
  const ended = await folder.node('jest/bin/jest.js')
  expect(ended.output).toContain('Tests:       1 failed, 2 passed, 3 total')
  expect(ended.output).toContain('expected proxy "p" to have injected anything, 2 times; it has once')
  expectOneReport(ended, 'fails')
})

test('node:test has a report among the diagnostics of the test that has failed', { timeout: PATIENCE_MS }, async () => {
  const spec = `
    import { test } from 'node:test'
    import { assertInjected, testNetwork } from 'faultline/node-test'
    import { useProxy } from './shared.mjs'
    let first
    test('passes', async (t) => {
      first = await testNetwork(t, { seed: ${SEED} })
      assertInjected(await useProxy(first), 'close_on_accept')
    })
    test('fails', async (t) => {
      if (!first.closed) throw new Error('the network of the first test is not closed')
      assertInjected(await useProxy(await testNetwork(t, { seed: ${SEED} })), { times: 2 })
    })`
  await using folder = await UserFolder.create({ 'a.test.mjs': spec, 'shared.mjs': shared })
  const ended = await folder.node('a.test.mjs')
  expect(ended.output).toContain('expected proxy "p" to have injected anything, 2 times; it has once')
  expectOneReport(ended, 'fails')
})

interface PlaywrightReport {
  readonly suites: readonly {
    readonly specs: readonly {
      readonly title: string
      readonly ok: boolean
      readonly tests: readonly {
        readonly results: readonly {
          readonly attachments: readonly { readonly name: string; readonly body: string }[]
        }[]
      }[]
    }[]
  }[]
}

// It compiles what it loads from outside of a node_modules, which takes its time.
test.runIf(process.env['FAULTLINE_LONG'])(
  'Playwright attaches a report to the test that has failed',
  { timeout: PATIENCE_MS },
  async () => {
    const spec = `
    import { expect, test as base } from 'faultline/playwright'
    import { useProxy } from './shared.mjs'
    const test = base.extend({ proxy: async ({ network }, use) => use(await useProxy(network)) })
    test.use({ networkOptions: { seed: ${SEED} } })
    let first
    test('passes', async ({ network, proxy }) => {
      first = network
      expect(proxy).toHaveInjected('close_on_accept')
    })
    test('fails', async ({ proxy }) => {
      expect(first.closed).toBe(true)
      expect(proxy).toHaveInjected({ times: 2 })
    })`
    const config = "export default { testDir: '.', reporter: 'json' }"
    const files = { 'a.spec.mjs': spec, 'shared.mjs': shared, 'playwright.config.mjs': config }
    await using folder = await UserFolder.create(files)
    const { code, stdout, output } = await folder.node('@playwright/test/cli.js', 'test')
    expect(code, output).toBe(1)
    const { suites } = JSON.parse(stdout) as PlaywrightReport
    const results = suites[0]!.specs.map(({ title, ok, tests }) => {
      const { attachments } = tests[0]!.results[0]!
      return { title, ok, attachments: attachments.filter(({ name }) => name === 'faultline') }
    })
    expect(results).toEqual([
      { title: 'passes', ok: true, attachments: [] },
      { title: 'fails', ok: false, attachments: [expect.objectContaining({ contentType: 'text/plain' })] },
    ])
    expect(Buffer.from(results[1]!.attachments[0]!.body, 'base64').toString()).toMatch(report)
    expect(stdout).toContain('to have injected anything, 2 times; it has once')
  },
)
