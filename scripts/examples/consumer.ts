// A project that uses the package, as TypeScript sees it: types.mjs has it compiled as an ES module and as CommonJS, with
// the packed package. It is never run.
import { assertInjected, http, latency, Network, startNetwork, type Injection, type NetworkFixture } from 'faultline'
import { setupNetwork, type FaultProxy } from 'faultline/jest'
import { testNetwork } from 'faultline/node-test'
import { expect, test } from 'faultline/playwright'
import { FaultlineContainer } from 'faultline/testcontainers'

export async function plain(): Promise<readonly Injection[]> {
  const network: NetworkFixture = await startNetwork({ seed: 7 })
  const db: FaultProxy = await network.proxy('db', { upstream: 'localhost:5432', protocol: 'postgres' })
  const fault = await db.inject(latency({ latency: 500 }), { times: 2 })
  // @ts-expect-error -- a typo is an error
  latency({ latenzy: 500 })
  // @ts-expect-error -- and so is what an attribute can't be
  http.abort({ status: 'gone' })
  assertInjected(db, { type: 'latency', times: 2 })
  await fault.remove()
  await network.close()
  return fault.injections
}

export const embedded = new Network({ seed: 7 }).seed

export const network = setupNetwork({ clock: 'manual' })

export async function ofNode(t: Parameters<typeof testNetwork>[0]): Promise<number> {
  const { seed } = await testNetwork(t)
  return seed
}

export const playwright = test.extend<{ api: FaultProxy }>({
  api: async ({ network: started }, use) => use(await started.proxy('api', { upstream: 'http://localhost:3000' })),
})
playwright('types', async ({ page, api }) => {
  await page.goto(api.url)
  expect(api).toHaveInjected('http_abort')
  // @ts-expect-error -- there is no such field
  expect(api).toHaveInjected({ tyqe: 'http_abort' })
})

export async function contained(): Promise<NetworkFixture> {
  const container = await new FaultlineContainer().start()
  return container.connect()
}
