import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 15_000,
    // Most files wait more than they compute. By default there is a worker less than there are cores; measured on two:
    // 340 s with two workers.
    maxWorkers: 3,
  },
})
