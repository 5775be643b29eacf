// Compares the model behind packet_loss with the measurements in bench/data/loss, in virtual time: seconds of CPU for
// hours of network. No proxy and no sockets: what those add is not in these figures.
//
//   npm run build && node bench/loss/offline.mjs [runs]
import { DEFAULT_LINK } from '../../dist/esm/proxy/faults/packet-loss/attributes.js'
import { handshakeDelayMs } from '../../dist/esm/proxy/faults/packet-loss/handshake.js'
import { LossyLink } from '../../dist/esm/proxy/faults/packet-loss/link.js'
import { Random } from '../../dist/esm/proxy/random.js'
import { compareBulk, compareTimes } from './compare.mjs'
import { CELLS } from './measured.mjs'
import { quantile } from './statistics.mjs'

const QUANTILES = [0.1, 0.5, 0.75, 0.9, 0.95, 0.99]

const model = { LossyLink, DEFAULT_LINK, handshakeDelayMs, Random }
const runs = Number(process.argv[2] ?? 1)

for (const [workload, title] of [
  ['pingpong', '64 B request, 512 B answer'],
  ['resp100k', '64 B request, 102,400 B answer'],
  ['connect', 'connect (without the noise of the measured machine)'],
]) {
  process.stdout.write(`\n${title}: milliseconds at ${QUANTILES.map((share) => `p${share * 100}`).join(' / ')}\n`)
  for (const cell of CELLS) {
    const { simulated, measured, distance } = compareTimes(model, workload, cell, runs)
    process.stdout.write(
      `${describe(cell)}  KS ${distance.toFixed(3)}  model ${quantiles(simulated)}  measured ${quantiles(measured)}\n`,
    )
  }
}

process.stdout.write('\nbulk, 10 s: kilobytes a second\n')
for (const cell of [...CELLS, ...renoCells()]) {
  const { simulated, measured, ratio } = compareBulk(model, cell, runs)
  process.stdout.write(
    `${describe(cell)}  model ${rate(simulated)}  measured ${rate(measured)}  ratio ${ratio.toFixed(2)}\n`,
  )
}

function renoCells() {
  return CELLS.filter(({ way, percent }) => way === 'both' && percent < 30).map((cell) => ({
    ...cell,
    algorithm: 'reno',
  }))
}

function describe({ way, rttMs, percent, algorithm }) {
  return `${way.padEnd(4)} ${rttMs} ms ${String(percent).padStart(2)} % ${(algorithm ?? '').padEnd(4)}`
}

function quantiles(values) {
  return QUANTILES.map((share) => Math.round(quantile(values, share)))
    .join(' / ')
    .padEnd(40)
}

function rate(bytesInTenSeconds) {
  return String(Math.round(bytesInTenSeconds / 10_000)).padStart(5)
}
