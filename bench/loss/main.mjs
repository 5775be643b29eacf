// packet_loss in real time: client and server on loopback with Faultline between them, compared with the measurements in
// bench/data/loss. Unlike offline.mjs, it has timers, sockets and the machine's noise in its figures.
import { parseArgs } from 'node:util'
import { cleanUpOnExit, stopAllChildren } from '../children.mjs'
import { startFaultline } from './lossy-proxy.mjs'
import { CELLS, measuredBytes } from './measured.mjs'
import { measuredTimesOfFirst } from './measured-start.mjs'
import { kolmogorovSmirnov, mean, quantile } from './statistics.mjs'
import { countBytes, openConnections, startServer, timeExchanges } from './traffic.mjs'
import { EXCHANGES } from './workloads.mjs'

const QUANTILES = [0.1, 0.5, 0.75, 0.9, 0.95, 0.99]
/** As long as the measured transfers, whose rate is not the same in every second. */
const BULK_SECONDS = 10
const BULK_CONNECTIONS = 8
const BULK_LIMITS = [0.5, 2]
/** Of the exchanges. Where more don't end, the finished ones are no sample of all. */
const MOST_UNFINISHED = 0.05

const WORKLOADS = {
  pingpong: { title: '64 B request, 512 B answer', connections: 30, limit: 0.03 },
  resp100k: { title: '64 B request, 102,400 B answer', connections: 20, limit: 0.13 },
  bulk: { title: 'bulk downstream, 10 s, kilobytes a second of a connection', connections: BULK_CONNECTIONS },
}

const usage = `usage: node bench/loss/main.mjs [options]

  --seconds N      how long requests are sent in a cell, whole seconds (default 15)
  --cells a,b      only these, named as the measurements are: both_rtt10_p5, s2c_rtt50_p30, ...
  --only a         one cell
  --workloads a,b  pingpong, resp100k, bulk (default all)
  --help           this text
`

const options = readOptionsOrExit()
if (options) {
  cleanUpOnExit()
  await main(options)
}

async function main({ cells, workloads, seconds }) {
  const server = await startServer()
  const verdicts = []
  try {
    const faultline = await startFaultline(server.port)
    for (const name of workloads) {
      const { title } = WORKLOADS[name]
      const unit = name === 'bulk' ? '' : `: milliseconds at ${QUANTILES.map((share) => `p${share * 100}`).join(' / ')}`
      process.stdout.write(`\n${title}${unit}\n`)
      for (const cell of cells) {
        const { text, verdict } = await measure({ name, cell, seconds, server, faultline })
        verdicts.push({ name, cell, verdict })
        process.stdout.write(`${cellName(cell).padEnd(14)}  ${verdict.padEnd(10)}  ${text}\n`)
      }
    }
  } finally {
    server.close()
    await stopAllChildren()
  }
  process.stdout.write('\nverdicts\n')
  for (const name of workloads) process.stdout.write(`${verdictLine(name, verdicts)}\n`)
}

async function measure({ name, cell, seconds, server, faultline }) {
  const sockets = await openConnections(await faultline.open(), name, WORKLOADS[name].connections)
  try {
    await faultline.lose(cell)
    if (name === 'bulk') return judgeBulk(cell, await countBytes(sockets, BULK_SECONDS, server.startBulk))
    return judgeTimes(
      measuredTimesOfFirst(seconds, name, cell),
      WORKLOADS[name].limit,
      await timeExchanges(sockets, EXCHANGES[name], seconds),
    )
  } finally {
    for (const socket of sockets) socket.destroy()
    await faultline.close()
  }
}

function judgeTimes(measured, limit, { timesMs, unfinished }) {
  const count = `n ${timesMs.length}, ${measured.length}${unfinished ? `, ${unfinished} unfinished` : ''}`
  if (timesMs.length === 0) return { text: count, verdict: 'not judged' }
  const distance = kolmogorovSmirnov(timesMs, measured)
  const chance = likelyDistance(timesMs.length, measured.length)
  return {
    text:
      `KS ${distance.toFixed(3)} (chance ${chance.toFixed(3)})  ` +
      `faultline ${quantiles(timesMs)}  measured ${quantiles(measured)}  ${count}`,
    verdict: verdictOf(),
  }

  function verdictOf() {
    if (unfinished > MOST_UNFINISHED * (timesMs.length + unfinished)) return 'not judged'
    if (distance <= limit) return 'met'
    return distance <= limit + chance ? 'open' : 'missed'
  }
}

/**
 * What two samples of one distribution differ by at most in 19 of 20 cases (Kolmogorov and Smirnov's 5 % bound, which
 * knows no tolerance; samples of one connection are not independent, so the truth is rather more).
 */
function likelyDistance(n, m) {
  return 1.36 * Math.sqrt((n + m) / (n * m))
}

function judgeBulk(cell, bytes) {
  const measured = mean(measuredBytes(cell))
  const ratio = mean(bytes) / measured
  const [least, most] = BULK_LIMITS
  return {
    text: `ratio ${ratio.toFixed(2)}  faultline ${rate(mean(bytes))}  measured ${rate(measured)}`,
    verdict: ratio >= least && ratio <= most ? 'met' : 'missed',
  }
}

function verdictLine(name, verdicts) {
  const aim = name === 'bulk' ? `ratio within ${BULK_LIMITS.join(' to ')}` : `KS at most ${WORKLOADS[name].limit}`
  const own = verdicts.filter((one) => one.name === name)
  const parts = ['met', 'open', 'missed', 'not judged'].flatMap((verdict) => {
    const cells = own.filter((one) => one.verdict === verdict).map(({ cell }) => cellName(cell))
    if (cells.length === 0) return []
    return verdict === 'met' ? `met in ${cells.length} of ${own.length}` : `${verdict}: ${cells.join(', ')}`
  })
  return `${name.padEnd(8)}  ${aim}: ${parts.join('; ')}`
}

function cellName({ way, rttMs, percent }) {
  return `${way}_rtt${rttMs}_p${percent}`
}

function quantiles(values) {
  return QUANTILES.map((share) => Math.round(quantile(values, share)))
    .join(' / ')
    .padEnd(36)
}

function rate(bytesInTenSeconds) {
  return String(Math.round(bytesInTenSeconds / 1000 / BULK_SECONDS)).padStart(5)
}

function readOptionsOrExit() {
  try {
    return readOptions(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`)
    process.exitCode = 2
    return null
  }
}

function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '15' },
      cells: { type: 'string' },
      only: { type: 'string' },
      workloads: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(usage)
    return null
  }
  const seconds = Number(values.seconds)
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 600) {
    throw new Error(`--seconds: expected a whole number from 1 to 600, got "${values.seconds}"`)
  }
  const names = CELLS.map(cellName)
  if (values.only !== undefined && !names.includes(values.only)) {
    throw new Error(`--only: unknown "${values.only}", expected one of ${names.join(', ')}`)
  }
  const wanted = values.only === undefined ? chosen('--cells', values.cells, names) : [values.only]
  return {
    seconds,
    cells: CELLS.filter((cell) => wanted.includes(cellName(cell))),
    workloads: chosen('--workloads', values.workloads, Object.keys(WORKLOADS)),
  }
}

function chosen(flag, text, known) {
  if (text === undefined) return known
  const wanted = text.split(',').map((name) => name.trim())
  for (const name of wanted) {
    if (!known.includes(name)) throw new Error(`${flag}: unknown "${name}", expected some of ${known.join(', ')}`)
  }
  return known.filter((name) => wanted.includes(name))
}
