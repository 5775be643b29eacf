import { defineConfig } from 'vitest/config'
import { MixedOrder } from './test/support/mixed-order.ts'

/** Files that look at, or change, what a process has only once: loaded modules, limits of the runner. */
const ALONE = ['test/fixtures/side-by-side.test.ts', 'test/proxy/protocols/postgres/{match,sql}.test.ts']

export default defineConfig({
  test: {
    globalSetup: ['test/support/run-folder.ts'],
    testTimeout: 15_000,
    // Some start a server and warm it up, beside two other files.
    hookTimeout: 30_000,
    // Default a second, in which a busy machine may not come to what is waited for.
    expect: { poll: { timeout: 10_000 } },
    // Most files wait more than they compute. By default there is a worker less than there are cores; measured on two:
    // 340 s with two workers.
    maxWorkers: 3,
    sequence: { sequencer: MixedOrder },
    // Files that share a process share the modules that it has loaded; measured: a third less CPU.
    projects: [
      { extends: true, test: { name: 'shared', include: ['test/**/*.test.ts'], exclude: ALONE, isolate: false } },
      { extends: true, test: { name: 'alone', include: ALONE } },
    ],
  },
})
