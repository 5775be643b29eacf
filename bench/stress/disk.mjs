// The measurements of disks: what the file system and the kernel count, and how busy others kept the disk meanwhile.
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { deviation, outsideLoad } from './measure.mjs'
import { cpuMsOf, familyOf, isThere } from './processes.mjs'

const MB = 1e6
const POLL_MS = 1
/** After this, a stressor that acts has its first operations behind it. */
const SETTLE_MS = 500
/** A stressor is in the middle of its work then. */
const ORPHAN_AFTER_MS = 500
/** Nothing may be left after this, by far. */
const GIVE_UP_MS = 20_000

/** A folder of our own below one on the disk that is meant. */
export async function inFolder(path, act) {
  const folder = mkdtempSync(join(path, 'faultline-stress-'))
  try {
    return await act(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Time until all is allocated, by how much it is more than what was asked for, and time until it is given back. */
export async function fillAccuracy(stressors, path, bytes) {
  await stressors.prepare()
  const outside = outsideDisk(path, () => 0)
  const beginMs = performance.now()
  const stressor = await stressors.start({ type: 'disk-fill', attributes: { path, bytes } })
  while (hiddenBytesOf(stressor.pid) < bytes) await delay(POLL_MS)
  const upMs = performance.now() - beginMs
  const excessBytes = hiddenBytesOf(stressor.pid) - bytes
  const busy = outside()
  const stopMs = performance.now()
  await stressor.stop()
  return {
    busy,
    figures: { upMs, excessBytes, blockBytes: statSync(path).blksize, downMs: performance.now() - stopMs },
  }
}

/** Bytes per second that the kernel counts for the process: the error of the mean in %, how far seconds lie apart. */
export async function rateAccuracy(stressors, attributes, seconds) {
  const { bytesPerSecond } = attributes
  await stressors.prepare()
  const stressor = await stressors.start({ type: 'disk-io', attributes })
  while (!(stressor.achieved.operationsPerSecond > 0)) await delay(POLL_MS) // it may have to write what it reads
  await delay(SETTLE_MS)
  const { pid } = stressor
  const outsideCpu = outsideLoad(() => cpuMsOf([pid, process.pid]))
  const outside = outsideDisk(attributes.path, () => movedBytesOf(pid))
  const samples = []
  const beginMs = performance.now()
  for (let second = 0; second <= seconds; second++) {
    await delay(Math.max(0, beginMs + second * 1000 - performance.now()))
    samples.push({ timeMs: performance.now(), bytes: movedBytesOf(pid) })
  }
  const busy = outside()
  const outsideCores = outsideCpu()
  await stressor.stop()
  const mean = rate(samples[0], samples.at(-1))
  const perSecond = samples.slice(1).map((sample, index) => rate(samples[index], sample))
  const errorPercent = (mean / bytesPerSecond - 1) * 100
  return { busy, outsideCores, figures: { mean: mean / MB, errorPercent, deviation: deviation(perSecond) / MB } }
}

function rate(from, to) {
  return ((to.bytes - from.bytes) / (to.timeMs - from.timeMs)) * 1000
}

/** How long it takes from the death of the parent until neither a process nor a file is left, in a folder of its own. */
export async function diskOrphanMs(spec, path) {
  return inFolder(path, async (folder) => {
    const attributes = { ...spec.attributes, path: folder }
    const program = join(import.meta.dirname, 'parent.mjs')
    const parent = spawn(process.execPath, [program, JSON.stringify({ ...spec, attributes })], {
      stdio: ['ignore', 'pipe', 2],
    })
    await new Promise((resolve) => {
      createInterface(parent.stdout).once('line', resolve)
    })
    await delay(ORPHAN_AFTER_MS)
    const family = familyOf(parent.pid)
    parent.kill('SIGKILL')
    const beginMs = performance.now()
    while (family.some(isThere) || readdirSync(folder).length > 0) {
      if (performance.now() - beginMs > GIVE_UP_MS) throw new Error(`${spec.type}: something is left`)
      await delay(POLL_MS)
    }
    return performance.now() - beginMs
  })
}

/** Begins to watch; the result ends that, and says what others did with the disk. */
function outsideDisk(path, ownBytes) {
  const [beginMs, disk, own] = [performance.now(), diskOf(path), ownBytes()]
  return () => {
    const seconds = (performance.now() - beginMs) / 1000
    const now = diskOf(path)
    const others = Math.max(0, now.bytes - disk.bytes - (ownBytes() - own)) / MB / seconds
    const busyPercent = Math.min(100, (now.busyMs - disk.busyMs) / seconds / 10)
    return `disk ${busyPercent.toFixed(0)} % busy, others ${others.toFixed(1)} MB/s`
  }
}

/** By the device's own count: Documentation/block/stat. Zeros for one that has none. */
function diskOf(path) {
  const { dev } = statSync(path)
  try {
    const text = readFileSync(`/sys/dev/block/${dev >> 8}:${dev & 255}/stat`, 'latin1')
    const numbers = text.trim().split(/\s+/).map(Number)
    return { bytes: (numbers[2] + numbers[6]) * 512, busyMs: numbers[9] }
  } catch {
    return { bytes: 0, busyMs: 0 }
  }
}

/** What a process has had read from disks and written to them: proc_pid_io(5). */
function movedBytesOf(pid) {
  const text = readFileSync(`/proc/${pid}/io`, 'latin1')
  const number = (key) => Number(text.match(new RegExp(`^${key}: (\\d+)`, 'm'))[1])
  return number('read_bytes') + number('write_bytes')
}

/** Space of files without a name that a process has open, by the count of the file system. */
function hiddenBytesOf(pid) {
  const files = readdirSync(`/proc/${pid}/fd`).map((fd) => statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false }))
  return files.reduce((sum, stats) => (stats?.isFile() && stats.nlink === 0 ? sum + stats.blocks * 512 : sum), 0)
}
