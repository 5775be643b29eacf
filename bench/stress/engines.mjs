// What is measured: Faultline's stressors and, where it is installed, stress-ng. Each is started with what it is to reach,
// and says which processes press.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { Stressors } from '../../dist/esm/resource-stressors/index.js'
import { familyOf } from './processes.mjs'

/** Longer than any measurement. */
const TTL_MS = 120_000

export function faultlineEngine() {
  const stressors = new Stressors()
  const run = async (spec) => {
    const stressor = await stressors.start({ ...spec, ttlMs: TTL_MS })
    return { pids: () => [stressor.pid], stop: () => stressor.stop() }
  }
  return {
    name: 'faultline',
    prepare: () => stressors.prepare(),
    cpu: (load, workers) => run({ type: 'cpu', attributes: { load, workers } }),
    memory: (bytes) => run({ type: 'memory', attributes: { bytes } }),
    close: () => stressors.close(),
  }
}

/** @returns null where it isn't installed */
export function stressNgEngine() {
  const { status, stdout } = spawnSync('stress-ng', ['--version'], { encoding: 'utf8' })
  if (status !== 0) return null
  return {
    name: `stress-ng ${stdout.match(/[\d.]+/)?.[0] ?? ''}`,
    prepare: async () => undefined,
    cpu: (load, workers) => runStressNg(['--cpu', String(workers), '--cpu-load', String(load)]),
    memory: (bytes) => runStressNg(['--vm', '1', '--vm-bytes', String(bytes), '--vm-keep']),
    close: async () => undefined,
  }
}

async function runStressNg(args) {
  const child = spawn('stress-ng', [...args, '--timeout', `${TTL_MS / 1000}s`, '--oomable', '--quiet'])
  await once(child, 'spawn')
  const stop = async () => {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  return { pids: () => familyOf(child.pid), stop }
}

/** Processes that compute without a pause, for as long as `measure` takes. */
export async function besideCompetitors(count, measure) {
  const children = Array.from({ length: count }, () => spawn(process.execPath, ['-e', 'for (;;);']))
  try {
    await Promise.all(children.map((child) => once(child, 'spawn')))
    return await measure(children.map(({ pid }) => pid))
  } finally {
    for (const child of children) child.kill('SIGKILL')
  }
}
