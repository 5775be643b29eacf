// Experiments as people publish them, read from files and run as they are: real programs, real services, a real proxy.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { exitCodeOf } from '../../../experiments/chaostoolkit/journal.ts'
import { readChaosToolkitFile } from '../../../experiments/chaostoolkit/read.ts'
import { runChaosToolkit } from '../../../experiments/chaostoolkit/run.ts'
import { Network } from '../../../proxy/index.ts'
import { startHttpService } from '../../support/http-service.ts'

const file = (name: string): string => join(import.meta.dirname, 'files', name)

test('a language file is changed, and changed back', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-ctk-'))
  const texts = join(folder, 'default.locale.txt')
  await writeFile(texts, 'welcome=hello\n')
  const experiment = await readChaosToolkitFile(file('language-file.json'), { environment: { FOLDER: folder } })
  expect(experiment.warnings).toEqual([])
  const journal = await runChaosToolkit(experiment)
  expect(journal).toMatchObject({
    status: 'completed',
    deviated: true,
    steady_states: {
      before: { steady_state_met: true, probes: [{ output: { status: 0 } }, {}, { output: { stdout: '1\n' } }] },
      after: { steady_state_met: false, probes: [{ output: { status: 1, stdout: '' }, tolerance_met: false }] },
    },
    run: [{ status: 'succeeded' }, { output: { stdout: 'welcome=bonjour\n' } }],
    rollbacks: [{ status: 'succeeded' }],
  })
  expect(exitCodeOf(journal)).toBe(1)
  expect(await readFile(texts, 'utf8')).toBe('welcome=hello\n')
  await rm(folder, { recursive: true })
})

/** A shop that loses orders with its cache, or copes. */
async function startShop(copes: boolean) {
  let hasCache = true
  return startHttpService((request, response) => {
    const answer = (body: unknown): void => {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
    }
    if (request.url === '/health') return void response.writeHead(204).end()
    if (request.url === '/cache') {
      request.on('data', (chunk: Buffer) => {
        hasCache = (JSON.parse(chunk.toString()) as { running: boolean }).running
        answer({ hasCache })
      })
      return undefined
    }
    if (request.url !== '/orders?state=paid' || request.headers.authorization !== 'Bearer t-1') {
      return void response.writeHead(403).end()
    }
    const orders = [
      { id: 1, state: 'paid' },
      { id: 2, state: 'paid' },
      { id: 3, state: 'open' },
    ]
    return answer({ orders: hasCache || copes ? orders : orders.slice(1) })
  })
}

test.each([
  ['copes', true, 0],
  ['does not', false, 1],
])('a shop that loses its cache %s', async (_name, copes, exitCode) => {
  await using shop = await startShop(copes)
  const environment = { SHOP_URL: shop.url, SHOP_TOKEN: 't-1' }
  const experiment = await readChaosToolkitFile(file('service-without-its-cache.yaml'), { environment })
  expect(experiment).toMatchObject({ title: 'Orders can be listed without the cache', warnings: [] })
  const journal = await runChaosToolkit(experiment)
  expect(journal).toMatchObject({
    status: 'completed',
    deviated: !copes,
    run: [{ output: { stdout: 'watching\n' } }, { output: { body: { hasCache: false } } }],
    rollbacks: [{ output: { body: { hasCache: true } } }],
  })
  expect(exitCodeOf(journal)).toBe(exitCode)
})

test('the network to the shop breaks and is mended', async () => {
  await using shop = await startShop(true)
  await using network = new Network({ seed: 1 })
  const experiment = await readChaosToolkitFile(file('broken-network.json'), {
    environment: { SHOP_PORT: String(shop.port) },
  })
  const journal = await runChaosToolkit(experiment, { target: network })
  expect(journal.run.map(({ status }) => status)).toEqual([
    'succeeded',
    'succeeded',
    'succeeded',
    'failed',
    'succeeded',
    'succeeded',
  ])
  expect(journal.rollbacks).toMatchObject([{ status: 'succeeded', output: null }])
  expect(journal.faultline).toMatchObject({
    left: [],
    notes: [expect.stringContaining('through of the method failed')],
  })
  expect([...network.proxies]).toEqual([])
})
