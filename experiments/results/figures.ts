// Figures as people read them. Inputs are in the units of the journal: milliseconds, and shares from 0 to 1.

/** `null` and figures that are none. */
export const NOTHING = '–'

/** E.g. `0.4 ms`, `83 ms`, `1.25 s`, `2 min 5 s`, `1 h 2 min`. */
export function formatDuration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NOTHING
  if (ms < 0) return `−${formatDuration(-ms)}`
  if (ms < 9.95) return `${trimmed(ms, 1)} ms`
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_995) return `${trimmed(ms / 1000, 2)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`
}

/** A share in percent, with as many digits as it takes to tell it from none and from all: `4.2 %`, `99.997 %`. */
export function formatShare(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NOTHING
  if (share < 0) return `−${formatShare(-share)}`
  const distance = Math.min(share, Math.abs(1 - share)) * 100
  if (distance > 0 && distance < SMALLEST_PERCENT) return share < 0.5 ? '< 0.000001 %' : '> 99.999999 %'
  const digits = distance === 0 ? 0 : Math.max(1, Math.ceil(-Math.log10(distance)) + 1)
  return `${trimmed(share * 100, digits)} %`
}

/** Less is told as that. */
const SMALLEST_PERCENT = 1e-6

/** At most four digits behind the point. */
export function formatNumber(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return NOTHING
  return trimmed(value, 4).replace('-', '−')
}

type Figures = Readonly<Record<string, number>>

/** What was reached of what was asked for: `cpuCores 0.39 of 0.4, bytes 64 MiB of 64 MiB`. Empty if nothing is known. */
export function formatReached(requested: Figures, achieved: Figures): string {
  const texts = Object.entries(requested).flatMap(([name, asked]) => {
    const had = achieved[name]
    return had === undefined ? [] : [`${name} ${formatFigure(name, had)} of ${formatFigure(name, asked)}`]
  })
  return texts.join(', ')
}

const BYTES_PER_MIB = 2 ** 20

/** Units are in the names. */
function formatFigure(name: string, value: number): string {
  return /bytes/i.test(name) ? `${trimmed(value / BYTES_PER_MIB, 2)} MiB` : formatNumber(value)
}

/** A time of the run, e.g. `1:05` or, if that says more, `1:05.3`. */
export function formatOffset(ms: number): string {
  const tenths = Math.round(ms / 100)
  const seconds = Math.floor(tenths / 10)
  const rest = tenths % 10 === 0 ? '' : `.${tenths % 10}`
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}${rest}`
}

/** E.g. `2030-01-31 23:59:58 UTC`; what is no time comes back as it is. */
export function formatWallTime(iso: string): string {
  const time = Date.parse(iso)
  return Number.isNaN(time) ? iso : `${new Date(time).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}

/** `plural(1, 'attempt')` is `1 attempt`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : nouns}`
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)))
}
