// Stressors: what was asked for against what the kernel counts, beside stress-ng where it is installed (Linux).
import { availableParallelism, tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Stressors } from '../../dist/esm/resource-stressors/index.js'
import { median } from '../statistics.mjs'
import { diskOrphanMs, fillAccuracy, inFolder, rateAccuracy } from './disk.mjs'
import { besideCompetitors, faultlineEngine, stressNgEngine } from './engines.mjs'
import { cpuAccuracy, memoryAccuracy, orphanMs, startAndStop } from './measure.mjs'

const MIB = 2 ** 20
/** With more than this, of one core, taken by others, figures say more about them: they faked errors of up to 70 points. */
const MOST_OUTSIDE_CORES = 0.2
const PAUSE_MS = 2000
const COMPETITORS = 2
/** What is made up for at most, a slice of 50 ms, is less than the gate then: 0.4 % of the time. */
const CPU_SECONDS = 12
const DISK_SECONDS = 6
/** A new process of Node tidies up its memory after 8 s, once: 20 ms of CPU time, most of it outside the thread that loads. */
const TIDIED_UP_MS = 10_000
const ROUNDS = 5
const FILL_BYTES = 256 * MIB
/** Bytes per second, and how they get to the disk. */
const RATES = [
  { bytesPerSecond: 5e6, sync: 'direct' },
  { bytesPerSecond: 20e6, sync: 'direct' },
  { bytesPerSecond: 20e6, sync: 'direct', readShare: 0.5, workers: 2 },
  { bytesPerSecond: 2e6, sync: 'fdatasync' },
]
/** What is in the middle of something when its parent dies. */
const DISK_SPECS = [
  { type: 'disk-fill', attributes: { bytes: FILL_BYTES } },
  { type: 'disk-io', attributes: { iops: 1e6, sync: 'fdatasync', fileSizeBytes: 16 * MIB } },
  { type: 'disk-io', attributes: { iops: 1e6, sync: 'direct', workers: 4, fileSizeBytes: 16 * MIB } },
  { type: 'inodes', attributes: { count: 40_000 } },
]

const usage = `usage: node bench/stress/main.mjs [options]

  --seconds N     length of one measurement, whole seconds (default: CPU load 12, disk rates 6)
  --loads a,b     percent of a core (default 10,25,50,75,90)
  --memory-mib N  memory that is taken (default 1024)
  --path P        a folder on the disk that is pressed (default: that of temporary files); takes 256 MiB at a time
  --tries N       a measurement that others disturb is taken again, so often at most (default 5)
  --only a,b      cpu, latency, memory, orphans, disk-fill, disk-io, disk-orphans (default all)
  --help          this text
`

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    loads: { type: 'string', default: '10,25,50,75,90' },
    'memory-mib': { type: 'string', default: '1024' },
    tries: { type: 'string', default: '5' },
    path: { type: 'string', default: tmpdir() },
    only: { type: 'string', default: 'cpu,latency,memory,orphans,disk-fill,disk-io,disk-orphans' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(usage)
else await main()

async function main() {
  const engines = [faultlineEngine(), stressNgEngine()].filter((engine) => engine !== null)
  if (engines.length < 2) print('stress-ng is not installed: Faultline alone (Debian: apt install stress-ng)')
  const disk = { 'disk-fill': diskFill, 'disk-io': diskIo, 'disk-orphans': diskOrphans }
  const parts = { cpu, latency, memory, orphans, ...disk }
  try {
    for (const name of values.only.split(',')) await parts[name](engines)
  } finally {
    for (const engine of engines) await engine.close()
  }
}

async function cpu(engines) {
  await Promise.all(engines.map((engine) => engine.prepare()))
  await delay(TIDIED_UP_MS)
  for (const competitors of [0, COMPETITORS]) {
    const beside = competitors > 0 ? `, beside ${competitors} processes that compute without a pause` : ''
    const gate = competitors > 0 ? 0.5 : 0.3
    print(`\ncpu: one worker${beside}; points of a core: gates error ${gate}, deviation 0.5 (1 s) and 1.5 (100 ms)`)
    for (const load of values.loads.split(',').map(Number)) {
      for (const engine of engines) {
        const measure = (pids) =>
          cpuAccuracy(engine, { load, workers: 1, seconds: Number(values.seconds ?? CPU_SECONDS), competitors: pids })
        const { figures, noise } = await quietly(() => besideCompetitors(competitors, measure))
        const { mean, error, deviation1s, deviation100ms } = figures
        const fairPercent = (availableParallelism() / (competitors + 1)) * 100
        row(engine.name, `${load} %`, [
          `got ${mean.toFixed(2)}`,
          `error ${error.toFixed(2)}`,
          `deviation ${deviation1s.toFixed(2)} / ${deviation100ms.toFixed(2)}`,
          load > fairPercent ? `above the fair share of ${fairPercent.toFixed(1)} %` : '',
          noise,
        ])
      }
    }
  }
}

async function latency() {
  print('\nlatency: from call to load / from call to the last of it, median in ms: gates 10 / 10, saturated 20')
  const stressors = new Stressors()
  try {
    for (const [title, competitors] of [
      ['quiet', 0],
      ['all cores saturated', availableParallelism()],
    ]) {
      const measure = () => startAndStop(stressors, { rounds: ROUNDS })
      const { startMs, stopMs } = await besideCompetitors(competitors, measure)
      row('faultline', title, [`start ${startMs.toFixed(1)}`, `stop ${stopMs.toFixed(1)}`])
    }
  } finally {
    await stressors.close()
  }
}

async function memory(engines) {
  const bytes = Number(values['memory-mib']) * MIB
  print(`\nmemory: ${bytes / MIB} MiB; gates for 1 GiB: up 1500 ms, down 200 ms, excess 1 % + 4 MiB`)
  for (const engine of engines) {
    // On a virtual machine what nobody had before comes from the host first: 3 s for 1 GiB, whoever asks for it.
    await memoryAccuracy(engine, bytes)
    const { figures, noise } = await quietly(() => memoryAccuracy(engine, bytes))
    const { upMs, downMs, excessBytes } = figures
    row(engine.name, `${bytes / MIB} MiB`, [
      `up ${upMs.toFixed(0)}`,
      `down ${downMs.toFixed(0)}`,
      `excess ${(excessBytes / MIB).toFixed(1)} MiB`,
      noise,
    ])
  }
}

async function orphans() {
  print('\norphans: from the death of the parent until its stressor is gone, median in ms')
  for (const [how, gate] of [
    ['pdeathsig', 20],
    ['disconnect', 50],
    ['lease', 1200],
  ]) {
    const times = []
    for (let round = 0; round < ROUNDS; round++) times.push(await orphanMs(how))
    row('faultline', how, [median(times).toFixed(1), `gate ${gate}`])
  }
}

async function diskFill() {
  print(`\ndisk-fill: ${FILL_BYTES / MIB} MiB, time in ms; gates on a quiet disk: up 100, error 1 block`)
  await withStressors(async (stressors) => {
    for (let round = 1; round <= ROUNDS; round++) {
      const { figures, busy } = await inFolder(values.path, (folder) => fillAccuracy(stressors, folder, FILL_BYTES))
      const { upMs, downMs, excessBytes, blockBytes } = figures
      row('faultline', `round ${round}`, [
        `up ${upMs.toFixed(0)}`,
        `down ${downMs.toFixed(0)}`,
        `error ${(excessBytes / blockBytes).toFixed(1)} blocks`,
        busy,
      ])
    }
  })
}

async function diskIo() {
  const seconds = Number(values.seconds ?? DISK_SECONDS)
  print(`\ndisk-io: over ${seconds} s, in MB/s; gates for 6 s: error 1 %, deviation of seconds 0.5`)
  await withStressors(async (stressors) => {
    for (const rate of RATES) {
      let busy = ''
      const measure = async (path) => {
        const result = await rateAccuracy(stressors, { ...rate, path, fileSizeBytes: 16 * MIB }, seconds)
        ;({ busy } = result)
        return result
      }
      const { figures, noise } = await quietly(() => inFolder(values.path, measure))
      const { mean, errorPercent, deviation } = figures
      const reads = rate.readShare === undefined ? '' : `, ${rate.readShare * 100} % reads`
      row('faultline', `${rate.bytesPerSecond / 1e6} ${rate.sync}${reads}`, [
        `got ${mean.toFixed(3)}`,
        `error ${errorPercent.toFixed(2)} %`,
        `deviation ${deviation.toFixed(2)}`,
        busy,
        noise,
      ])
    }
  })
}

async function diskOrphans() {
  print(
    '\ndisk-orphans: from the death of the parent until no process and no file is left, in ms, the worst: gate 2000',
  )
  for (const spec of DISK_SPECS) {
    const times = []
    for (let round = 0; round < ROUNDS; round++) times.push(await diskOrphanMs(spec, values.path))
    const { sync = '' } = spec.attributes
    row('faultline', `${spec.type} ${sync}`, [Math.max(...times).toFixed(0), `median ${median(times).toFixed(0)}`])
  }
}

async function withStressors(act) {
  const stressors = new Stressors()
  try {
    await act(stressors)
  } finally {
    await stressors.close()
  }
}

/** Measures until others leave the machine in peace; says so if they never do. */
async function quietly(measure) {
  for (let tries = 1; ; tries++) {
    const { figures, outsideCores } = await measure()
    if (outsideCores <= MOST_OUTSIDE_CORES) return { figures, noise: '' }
    const noise = `DISTURBED: others had ${outsideCores.toFixed(2)} cores`
    if (tries >= Number(values.tries)) return { figures, noise }
    process.stderr.write(`${noise}, once more\n`)
    await delay(PAUSE_MS)
  }
}

function row(engine, what, figures) {
  const cells = figures.filter((figure) => figure !== '')
  print(`  ${engine.padEnd(18)} ${what.padEnd(20)} ${cells.join('   ')}`)
}

function print(line) {
  process.stdout.write(`${line}\n`)
}
