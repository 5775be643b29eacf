// The measurements: each returns figures, and how busy others kept the machine meanwhile.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { median } from '../statistics.mjs'
import { cpuMsOf, familyOf, isThere, machineCpuMs, residentBytesOf } from './processes.mjs'

const WINDOW_MS = 100
const WINDOWS_PER_SECOND = 10
/** A stressor that has just started has its first slices behind it then. */
const SETTLE_MS = 500
const POLL_MS = 2
/** The kernel counts the CPU time of a thread that runs up to its last tick: 4 ms at 250 Hz, 10 at 100 Hz. */
const MOST_TICK_MS = 10
/** As long as it takes to see that no more is taken. */
const HOLD_MS = 1500

/** Percent of a core that each worker has: the error of the mean, and how far windows lie apart. */
export async function cpuAccuracy(engine, { load, workers, seconds, competitors = [] }) {
  await engine.prepare()
  const running = await engine.cpu(load, workers)
  try {
    await delay(SETTLE_MS)
    const pids = running.pids()
    const samples = []
    const outside = outsideLoad(() => cpuMsOf([...pids, ...competitors, process.pid]))
    const beginMs = performance.now()
    for (let window = 0; window <= seconds * WINDOWS_PER_SECOND; window++) {
      await delay(Math.max(0, beginMs + window * WINDOW_MS - performance.now()))
      samples.push(sampleCpu(pids))
    }
    const outsideCores = outside()
    const percents = (step) => windowPercents(samples, step).map((percent) => percent / workers)
    const [mean] = percents(samples.length - 1)
    return {
      outsideCores,
      figures: {
        mean,
        error: Math.abs(mean - load),
        deviation1s: deviation(percents(WINDOWS_PER_SECOND)),
        deviation100ms: deviation(percents(1)),
      },
    }
  } finally {
    await running.stop()
  }
}

/**
 * What processes with one busy thread have had by now. Just read, it is up to a tick too low while the thread runs, which
 * alone made windows of 100 ms deviate by 1.6 points at 250 Hz. It is right when it grows, and what has passed until then
 * the thread has had; if it does not grow, it was right at once.
 */
function sampleCpu(pids) {
  const timeMs = performance.now()
  const readMs = cpuMsOf(pids)
  let waitedMs = 0
  while (waitedMs < MOST_TICK_MS) {
    const rightMs = cpuMsOf(pids)
    waitedMs = performance.now() - timeMs
    // A thread that has only now woken up had none of that.
    if (rightMs !== readMs) return { timeMs, cpuMs: Math.max(readMs, rightMs - waitedMs) }
  }
  return { timeMs, cpuMs: readMs }
}

function windowPercents(samples, step) {
  const percents = []
  for (let index = step; index < samples.length; index += step) {
    const [from, to] = [samples[index - step], samples[index]]
    percents.push(((to.cpuMs - from.cpuMs) / (to.timeMs - from.timeMs)) * 100)
  }
  return percents
}

export function deviation(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
}

/** From the call that starts it until it acts, and from the call that stops it until the last load is gone. */
export async function startAndStop(stressors, { rounds }) {
  const starts = []
  const stops = []
  let goneMs = 0
  const unsubscribe = stressors.events.subscribe(({ type }) => {
    if (type === 'stressor_stopped') goneMs = performance.now()
  })
  for (let round = 0; round < rounds; round++) {
    await stressors.prepare()
    await delay(SETTLE_MS)
    const beginMs = performance.now()
    const stressor = await stressors.start({ type: 'cpu', attributes: { load: 100, workers: 1 }, ttlMs: 10_000 })
    starts.push(performance.now() - beginMs)
    await delay(SETTLE_MS)
    const stopMs = performance.now()
    await stressor.stop()
    stops.push(goneMs - stopMs)
  }
  unsubscribe()
  return { startMs: median(starts), stopMs: median(stops) }
}

/**
 * Time until so much more is resident than before, what is resident beyond it, and time until all is given back. A process
 * that was there before, waiting, counts by what it has grown.
 */
export async function memoryAccuracy(engine, bytes) {
  await engine.prepare()
  const before = new Map(familyOf(process.pid).map((pid) => [pid, residentBytesOf([pid])]))
  const outside = outsideLoad(() => cpuMsOf(familyOf(process.pid)))
  const beginMs = performance.now()
  const running = await engine.memory(bytes)
  const grownBytes = () => {
    const pids = running.pids()
    return residentBytesOf(pids) - pids.reduce((sum, pid) => sum + (before.get(pid) ?? 0), 0)
  }
  while (grownBytes() < bytes) await delay(POLL_MS)
  const upMs = performance.now() - beginMs
  await delay(HOLD_MS)
  const excessBytes = grownBytes() - bytes
  const outsideCores = outside()
  const stopMs = performance.now()
  await running.stop()
  return { outsideCores, figures: { upMs, excessBytes, downMs: performance.now() - stopMs } }
}

/** How long a child in a busy loop outlives its parent. `how` is the only means that works. */
export async function orphanMs(how) {
  // Without a path there is no setpriv; a parent that is stopped leaves its channel open, and is not dead.
  const env = { ...process.env, ...(how === 'disconnect' && { PATH: '' }) }
  const parent = spawn(process.execPath, [join(import.meta.dirname, 'parent.mjs')], {
    env,
    stdio: ['ignore', 'pipe', 2],
  })
  const [line] = await new Promise((resolve) => {
    createInterface(parent.stdout).once('line', (...args) => resolve(args))
  })
  const pid = Number(line)
  await delay(SETTLE_MS)
  if (how === 'pdeathsig') process.kill(pid, 'SIGSTOP') // it can notice nothing by itself
  parent.kill(how === 'lease' ? 'SIGSTOP' : 'SIGKILL')
  const beginMs = performance.now()
  while (isThere(pid)) await delay(POLL_MS)
  const tookMs = performance.now() - beginMs
  parent.kill('SIGKILL')
  return tookMs
}

/** Begins to watch; the result ends that, and says how many cores others than `ownCpuMs` had. */
export function outsideLoad(ownCpuMs) {
  const [beginMs, machine, own] = [performance.now(), machineCpuMs(), ownCpuMs()]
  return () => {
    const others = machineCpuMs() - machine - (ownCpuMs() - own)
    return Math.max(0, others / (performance.now() - beginMs))
  }
}
