import { http } from 'faultline'
import { expect, test as base, type FaultProxy } from 'faultline/playwright'

const appUrl = `http://127.0.0.1:${process.env['PORT'] ?? '3000'}`

const test = base.extend<{ api: FaultProxy }>({
  api: async ({ network }, use) => use(await network.proxy('api', { upstream: appUrl, protocol: 'http' })),
})

test('shows retry', async ({ page, api }) => {
  await api.inject(http.abort({ path: '/cart', status: 503 }), { times: 1 })
  await page.goto(api.url)
  await expect(page.getByText('The cart is not there.')).toBeVisible()
  await page.getByRole('button', { name: 'Try again' }).click()
  await expect(page.getByText('2 apples')).toBeVisible()
  expect(api).toHaveInjected({ type: 'http_abort', times: 1 })
})

test('shows the cart', async ({ page, api }) => {
  await page.goto(api.url)
  await expect(page.getByText('2 apples')).toBeVisible()
  await expect(page.getByRole('button')).toBeHidden()
})
