import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { chromium, type Browser, type Page } from '@playwright/test'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Journal } from '../../../experiments/model.ts'
import { renderHtml } from '../../../experiments/results/index.ts'
import { html, scriptJson } from '../../../experiments/results/html/escape.ts'
import { all, empty, hostile, neverRecovered, passed, queueDepth, violated } from './journals.ts'

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const executablePath = [process.env['CHROMIUM'] ?? '', ...places].find((path) => existsSync(path))

/** These ask much of the machine. */
const LONG = Boolean(process.env['FAULTLINE_LONG'])

test('templates escape what is put into them, but HTML', () => {
  const text = `<a b="c" d='e'>&amp;`
  const escaped = '&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;amp;'
  expect(html`<p title="${text}">${[text, html`<b>${1}</b>`]}${undefined}</p>`.text).toBe(
    `<p title="${escaped}">${escaped}<b>1</b></p>`,
  )
})

test('data ends no script, and is still the same', () => {
  const value = { '</script>': '<!--<script>&\u2028\u2029' }
  const { text } = scriptJson(value)
  expect(text).not.toMatch(/[<>&\u2028\u2029]/)
  expect(JSON.parse(text)).toEqual(value)
})

test.each(Object.entries(all))(
  'the report of %s refers to nothing outside, and has as many scripts as it should',
  (_name, journal) => {
    const page = renderHtml(journal)
    expect(page.match(/<script[\s>]/g)).toHaveLength(3)
    expect(page.match(/<\/script>/g)).toHaveLength(3)
    // The only address is the icon, which is none.
    expect([...page.matchAll(/\s(?:src|href|action|data)="([^"]*)"/g)].map(([, to]) => to)).toEqual(['data:,', '#slos'])
  },
)

describe.skipIf(executablePath === undefined)('in a browser: Chromium, or what CHROMIUM is the path of', () => {
  let folder: string
  let browser: Browser

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'faultline-html-'))
    const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
    browser = await chromium.launch({ executablePath: executablePath!, args })
  })

  afterAll(async () => {
    await browser.close()
    await rm(folder, { recursive: true })
  })

  interface Opened extends AsyncDisposable {
    readonly page: Page
    /** Messages of the console, errors, and requests but for the file itself. */
    readonly noise: string[]
  }

  async function open(journal: Journal, colorScheme: 'light' | 'dark' = 'light'): Promise<Opened> {
    const path = join(folder, 'report.html')
    await writeFile(path, renderHtml(journal))
    const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, colorScheme })
    const noise: string[] = []
    page.on('console', (message) => noise.push(`console: ${message.text()}`))
    page.on('pageerror', (error) => noise.push(`error: ${error.message}`))
    page.on('dialog', (dialog) => noise.push(`dialog: ${dialog.message()}`))
    const address = pathToFileURL(path).href
    page.on('request', (request) => {
      if (request.url() !== address) noise.push(`request: ${request.url()}`)
    })
    await page.goto(address)
    return { page, noise, [Symbol.asyncDispose]: () => page.close() }
  }

  test('bars and curves are drawn, without a word on the console or a request', async () => {
    await using opened = await open({ ...violated, metrics: { '<queue> depth': queueDepth } })
    const { page, noise } = opened
    // A bar of 100 s of 300 is a third of some 1,000 pixels, and some 20 high; curves are 2 wide and go all along.
    expect(await pixels(page, 0, 'fault')).toBeGreaterThan(3000)
    expect(await pixels(page, 0, 'stress')).toBeGreaterThan(800)
    for (const curve of ['p50', 'p95', 'p99']) expect(await pixels(page, 1, curve)).toBeGreaterThan(200)
    expect(await pixels(page, 2, 'errors')).toBeGreaterThan(200)
    expect(await pixels(page, 3, 'metric')).toBeGreaterThan(200)
    expect(await page.locator('.chart-title').last().textContent()).toBe('<queue> depth')
    // Cells: how many, and the lowest, the median, the highest.
    const cells = await page.locator('#metrics tbody tr').nth(1).locator('td').allTextContents()
    expect(cells).toEqual(['baseline', '12', '3', '3', '3'])
    expect(await page.locator('#slos tbody tr').count()).toBe(6)
    expect(await page.locator('.log tbody tr').count()).toBe(violated.seconds.length)
    expect(noise).toEqual([])
  })

  test.runIf(LONG)('it is dark for those who like it so, changes with them, and is light on paper', async () => {
    await using opened = await open(violated, 'dark')
    const { page, noise } = opened
    const background = (): Promise<string> =>
      page.evaluate(() => {
        const { document, getComputedStyle } = globalThis as any
        return getComputedStyle(document.body).backgroundColor
      })
    expect(await background()).toBe('rgb(16, 20, 27)')
    expect(await pixels(page, 1, 'p50')).toBeGreaterThan(200)
    await page.emulateMedia({ colorScheme: 'light' })
    expect(await background()).toBe('rgb(246, 247, 249)')
    await expect.poll(() => pixels(page, 1, 'p50')).toBeGreaterThan(200)
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.evaluate(() => (globalThis as any).dispatchEvent(new Event('beforeprint')))
    expect(await background()).toBe('rgb(246, 247, 249)')
    await expect.poll(() => pixels(page, 1, 'p50')).toBeGreaterThan(200)
    expect(noise).toEqual([])
  })

  test.runIf(LONG)('the keyboard reads the charts, and zooms', async () => {
    await using opened = await open(violated)
    const { page, noise } = opened
    const readout = page.locator('#readout')
    await page.locator('#plots').focus()
    await page.keyboard.press('End')
    await expect.poll(() => readout.textContent()).toMatch(/^4:59 validation · p50 \d+ ms · .* not good$/)
    for (let presses = 0; presses < 7; presses++) await page.keyboard.press('PageUp')
    await page.keyboard.press('ArrowLeft')
    const point = violated.seconds.at(-72)!
    expect(point.phase).toBe('failure')
    await expect
      .poll(() => readout.textContent())
      .toContain(`${Math.floor(point.second / 60)}:${point.second % 60} failure`)
    const wide = await pixels(page, 0, 'partition')
    await page.keyboard.press('+')
    // Half of the time on the same width: twice as wide, but for rounded corners.
    await expect.poll(() => pixels(page, 0, 'partition')).toBeGreaterThan(wide * 1.8)
    await page.keyboard.press('Escape')
    await expect.poll(() => readout.textContent()).toBe('Point at a chart to read its figures.')
    await expect.poll(() => pixels(page, 0, 'partition')).toBe(wide)
    await page.check('#logarithmic')
    // From 10 ms to 2 s, what is near 30 ms has risen from the bottom.
    await expect.poll(() => pixels(page, 1, 'p50')).toBeGreaterThan(200)
    await page.locator('#log summary').click()
    await page.check('#only-failing')
    const failing = violated.seconds.filter(({ good, attempts }) => good < attempts).length
    expect(await page.locator('.log tbody tr:visible').count()).toBe(failing)
    expect(noise).toEqual([])
  })

  test('texts from outside are shown, and do nothing', async () => {
    await using opened = await open(hostile)
    const { page, noise } = opened
    expect(await page.textContent('h1')).toBe(hostile.title)
    expect(await page.title()).toBe(`violated: ${hostile.title}`)
    expect(await page.textContent('.log tbody tr:nth-child(25) td:nth-child(3)')).toBe(hostile.steps[0]!.name)
    expect(await page.locator('img, iframe, b, h1 *').count()).toBe(0)
    expect(await page.evaluate(() => (globalThis as any).hacked)).toBeUndefined()
    expect(noise).toEqual([])
  })

  test.each([
    ['empty', empty],
    ['of one that never recovered', neverRecovered],
    ['of one second', { ...passed, seconds: passed.seconds.slice(0, 1), steps: [] }],
  ])('a report %s opens as well', async (_name, journal) => {
    await using opened = await open(journal)
    expect(await opened.page.locator('canvas').count()).toBe(journal.seconds.length === 0 ? 0 : 3)
    expect(opened.noise).toEqual([])
  })
})

/** How many pixels of a chart have this colour, by its number: 0 is the lanes. */
function pixels(page: Page, chart: number, variable: string): Promise<number> {
  return page.evaluate(
    ([number, name]) => {
      // The page's own types are not at hand here.
      const { document, getComputedStyle, OffscreenCanvas } = globalThis as any
      const canvas = document.querySelectorAll('canvas')[number]
      const colour = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
      const wanted = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16))
      // Of a copy: the browser complains of those who read what they draw on.
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true })
      copy.drawImage(canvas, 0, 0)
      const { data } = copy.getImageData(0, 0, canvas.width, canvas.height)
      let count = 0
      for (let at = 0; at < data.length; at += 4) {
        if (wanted.every((value, index) => data[at + index] === value) && data[at + 3] === 255) count++
      }
      return count
    },
    [chart, variable] as const,
  )
}
