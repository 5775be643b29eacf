// Children find their program in both forms that the package has.
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../cli/support.ts'
import { cpuMs, StressorParent, untilGone } from '../support/stressors.ts'

test.each(['esm', 'cjs'])('the %s build starts stressors, and they act', async (format) => {
  const module = join(ROOT, 'dist', format, 'resource-stressors/index.js')
  const spec = { type: 'cpu', attributes: { load: 50, workers: 1, cores: [0] }, ttlMs: 10_000 }
  await using parent = new StressorParent([spec], { module })
  const [{ pid }] = await parent.said('started')
  const before = cpuMs(pid)
  await expect.poll(() => cpuMs(pid) - before, { timeout: 5000 }).toBeGreaterThan(50)
  parent.child.kill('SIGKILL')
  await untilGone([pid], 2000)
})
