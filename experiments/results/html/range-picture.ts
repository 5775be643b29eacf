// A small picture of a verdict: the interval, what was measured, and the limit that it is held against.
import type { Verdict } from '../../model.ts'
import { formatInterval, formatLimit, formatSlo, sloKind } from '../slo.ts'
import { html, type Html } from './escape.ts'

const WIDTH = 170
const HEIGHT = 22
const MIDDLE = HEIGHT / 2
/** Free at both ends. */
const MARGIN = 8

/** Undefined if nothing was measured. */
export function rangePicture(verdict: Verdict): Html | undefined {
  const { slo, measured, threshold, interval } = verdict
  if (measured === null) return undefined
  const all = [measured, threshold, ...(interval ?? [])]
  const [low, high] = [Math.min(...all), Math.max(...all)]
  const at = (value: number): string =>
    (low === high ? WIDTH / 2 : MARGIN + ((value - low) / (high - low)) * (WIDTH - 2 * MARGIN)).toFixed(1)
  const label = `measured ${formatSlo(slo, measured)}, interval ${formatInterval(verdict)}, limit ${formatLimit(verdict)}`
  const span =
    interval &&
    html`<line class="interval" x1="${at(interval[0])}" x2="${at(interval[1])}" y1="${MIDDLE}" y2="${MIDDLE}" />`
  return html`<svg class="range" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
    ${beyond(slo, Number(at(threshold)))}
    <line class="axis" x1="0" x2="${WIDTH}" y1="${MIDDLE}" y2="${MIDDLE}" />
    ${span}
    <circle class="measured" cx="${at(measured)}" cy="${MIDDLE}" r="4.5" />
    <line class="limit" x1="${at(threshold)}" x2="${at(threshold)}" y1="1" y2="${HEIGHT - 1}" />
  </svg>`
}

/** The side of the limit on which an SLO is not kept. */
function beyond(slo: string, limit: number): Html | undefined {
  const { better } = sloKind(slo)
  if (better === undefined) return undefined
  const [from, until] = better === 'lower' ? [limit, WIDTH] : [0, limit]
  return html`<rect class="beyond" x="${from}" y="0" width="${(until - from).toFixed(1)}" height="${HEIGHT}" rx="3" />`
}
