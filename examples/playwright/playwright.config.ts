import { defineConfig } from '@playwright/test'

const port = process.env['PORT'] ?? '3000'

export default defineConfig({
  testDir: 'tests',
  webServer: { command: 'node app.js', url: `http://127.0.0.1:${port}`, env: { PORT: port } },
  // CHROMIUM=/usr/bin/chromium takes the machine's browser. Else it is Playwright's: npx playwright install chromium
  use: { launchOptions: { executablePath: process.env['CHROMIUM'] } },
})
