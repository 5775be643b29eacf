// Stressors of `faultline serve`: none outlives it, however it ends, and `stress --wait` takes its own with it.
import { expect, test } from 'vitest'
import { readCommandLine } from '../../cli/command.ts'
import { serve } from '../../cli/commands/serve.ts'
import { startServed, type Served } from '../support/served.ts'
import { childrenOf, cpuMs, isThere, MIB, untilGone } from '../support/stressors.ts'
import { LongRunning } from './support.ts'

/** Starts two that act, and returns all processes of the server: theirs, and the one that waits. */
async function act(served: Served): Promise<number[]> {
  const cpu = await served.api('/v1/stressors', { type: 'cpu', attributes: { load: 100, workers: 1 }, ttlMs: 20_000 })
  await served.api('/v1/stressors', { type: 'memory', attributes: { bytes: 16 * MIB }, ttlMs: 20_000 })
  const before = cpuMs(cpu.pid)
  await expect.poll(() => cpuMs(cpu.pid) - before, { timeout: 5000 }).toBeGreaterThan(20)
  // The one that is started ahead may not be there yet.
  await expect.poll(() => childrenOf(served.process.pid!).length, { timeout: 5000 }).toBe(3)
  return childrenOf(served.process.pid!)
}

test('Ctrl-C on `stress --wait` ends its stressor, and a signal to the server all others before the server ends', async () => {
  await using served = await startServed()
  expect(childrenOf(served.process.pid!)).toEqual([]) // before the first one
  const args = ['stress', 'cpu', '--load', '1', '--workers', '1', '--name', 'waited', '--wait']
  await using waiting = LongRunning.faultline(args, { FAULTLINE_URL: served.url })
  await waiting.line((line) => line.startsWith('waited: workers 1 of 1')) // a report: it is followed by now
  const { code, stdout, stderr } = await waiting.stop('SIGINT')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain('\nwaited has ended (request): workers 1')
  expect((await served.api('/v1/stressors')).stressors).toEqual([])

  const children = await act(served)
  const exited = new Promise((resolve) => {
    served.process.once('exit', (exitCode) => resolve([exitCode, children.filter(isThere)]))
  })
  served.process.kill('SIGTERM')
  expect(await exited).toEqual([0, []])
})

test('a server that is killed leaves none', async () => {
  await using served = await startServed()
  const children = await act(served)
  served.process.kill('SIGKILL')
  await untilGone(children, 2000)
})

test('a server that is to have none is told so by --stressors=false', () => {
  expect(readCommandLine(serve, ['--stressors=false'])).toMatchObject({ stressors: false })
  expect(readCommandLine(serve, [])).toMatchObject({ stressors: true })
})
