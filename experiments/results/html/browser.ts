// What runs in the reader's browser and draws the charts. These functions go into the page as text, so that they may use
// nothing of this module but each other. That is why they are in one file: what is imported has another name once it is
// compiled.
import type { Page, PageElement, Plot, Values, Window } from './browser-types.ts'
import type { ChartData } from './chart-data.ts'

declare const uPlot: new (options: object, values: Values, target: PageElement) => Plot
declare const document: Page
declare const window: Window

/** Of the style sheet, as it is now: dark, light, or on paper. */
function colour(name: string): string {
  return window.getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}

function offsetText(seconds: number): string {
  const tenths = Math.round(seconds * 10)
  const whole = Math.floor(tenths / 10)
  const rest = tenths % 10 === 0 ? '' : `.${tenths % 10}`
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}${rest}`
}

function durationText(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return '–'
  if (ms >= 1000) return `${Number((ms / 1000).toFixed(2))} s`
  return ms < 10 ? `${Number(ms.toFixed(1))} ms` : `${Math.round(ms)} ms`
}

function percentText(percent: number | null | undefined): string {
  return percent === null || percent === undefined ? '–' : `${Number(percent.toFixed(2))} %`
}

function numberText(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : String(Number(value.toPrecision(4)))
}

/** What all charts have in common. They share the cursor and, by it, the zoom. */
function commonOptions(data: ChartData, width: number, height: number): object {
  return {
    width,
    height,
    padding: [10, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false }, sync: { key: 'run' }, points: { size: 7 } },
    scales: { x: { time: false, range: (_plot: Plot, min: number, max: number) => xRange(data, min, max) } },
  }
}

/** All of the points is all of the run. */
function xRange(data: ChartData, min: number | null, max: number | null): readonly [number, number] {
  const first = data.times[0] ?? 0
  const last = data.times[data.times.length - 1] ?? 0
  if (min === null || max === null || (min <= first && max >= last)) return [0, data.untilSeconds]
  return [min, max]
}

type Labels = (plot: Plot, values: readonly (number | null)[]) => readonly (string | null)[]

function labelled(label: (value: number) => string): Labels {
  return (_plot, values) => values.map((value) => (value === null ? null : label(value)))
}

/** Without a time axis it is without all lines, too. */
function axes(isTimeShown: boolean, label: (value: number) => string): readonly object[] {
  const look = {
    stroke: () => colour('muted'),
    font: '12px system-ui, sans-serif',
    ticks: { show: false },
  }
  const increments = [
    0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400,
  ]
  const grid = { stroke: () => colour('line'), width: 1 }
  return [
    {
      ...look,
      size: 28,
      incrs: increments,
      space: 60,
      values: labelled(offsetText),
      show: isTimeShown,
      grid: { show: false },
    },
    { ...look, size: 64, values: labelled(label), grid: { ...grid, show: isTimeShown } },
  ]
}

function line(name: string, width: number, dash?: readonly number[]): object {
  return { stroke: () => colour(name), width, dash, points: { size: 5, fill: () => colour(name) }, spanGaps: false }
}

/** Behind the curves: when something was broken, and where phases meet. */
function drawShades(plot: Plot, data: ChartData): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  for (const { kind, from, until } of data.steps) {
    if (kind === 'load') continue
    const left = plot.valToPos(from, 'x', true)
    ctx.fillStyle = colour('shade')
    ctx.fillRect(left, bbox.top, Math.max(1, plot.valToPos(until, 'x', true) - left), bbox.height)
  }
  ctx.strokeStyle = colour('muted')
  ctx.lineWidth = window.devicePixelRatio
  ctx.setLineDash([2 * ctx.lineWidth, 3 * ctx.lineWidth])
  for (const { from } of data.phases) {
    const left = Math.round(plot.valToPos(from, 'x', true))
    ctx.beginPath()
    ctx.moveTo(left, bbox.top)
    ctx.lineTo(left, bbox.top + bbox.height)
    ctx.stroke()
  }
  ctx.restore()
}

function drawBand(plot: Plot, data: ChartData): void {
  if (!data.baseline) return
  const { ctx, bbox } = plot
  const top = Math.max(bbox.top, plot.valToPos(data.baseline.high, 'y', true))
  const bottom = plot.valToPos(data.baseline.low, 'y', true)
  ctx.fillStyle = colour('band')
  // Where it is as narrow as a line it still is to be seen.
  ctx.fillRect(bbox.left, top, bbox.width, Math.max(2 * window.devicePixelRatio, bottom - top))
}

function drawLimitAndOutages(plot: Plot, data: ChartData): void {
  const { ctx, bbox } = plot
  const ratio = window.devicePixelRatio
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  ctx.fillStyle = colour('outage')
  for (const { from, until } of data.outages) {
    const left = plot.valToPos(from, 'x', true)
    const width = Math.max(ratio, plot.valToPos(until, 'x', true) - left)
    ctx.fillRect(left, bbox.top + bbox.height - 5 * ratio, width, 5 * ratio)
  }
  if (data.errorLimitPercent !== null) {
    const top = plot.valToPos(data.errorLimitPercent, 'y', true)
    ctx.strokeStyle = colour('text')
    ctx.lineWidth = 1.5 * ratio
    ctx.setLineDash([6 * ratio, 4 * ratio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, top)
    ctx.lineTo(bbox.left + bbox.width, top)
    ctx.stroke()
  }
  ctx.restore()
}

/** The phases in a row, and below it each step in its lane. */
function drawLanes(plot: Plot, data: ChartData): void {
  const { ctx, bbox } = plot
  const ratio = window.devicePixelRatio
  const row = bbox.height / (data.lanes + 1)
  const right = bbox.left + bbox.width
  ctx.save()
  ctx.beginPath()
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height)
  ctx.clip()
  ctx.textBaseline = 'middle'
  ctx.textAlign = 'left'
  ctx.font = `600 ${12 * ratio}px system-ui, sans-serif`
  data.phases.forEach(({ name, from, until }, index) => {
    const left = plot.valToPos(from, 'x', true)
    const width = plot.valToPos(until, 'x', true) - left
    ctx.save()
    ctx.beginPath()
    ctx.rect(left, bbox.top, width, row - 4 * ratio)
    ctx.clip()
    ctx.fillStyle = colour(index % 2 === 0 ? 'soft' : 'line')
    ctx.fillRect(left, bbox.top, width, row)
    ctx.fillStyle = colour('muted')
    const start = Math.max(left, bbox.left) + 6 * ratio
    // Half a word says nothing.
    if (start + ctx.measureText(name).width <= left + width) ctx.fillText(name, start, bbox.top + (row - 4 * ratio) / 2)
    ctx.restore()
  })
  ctx.font = `${12 * ratio}px system-ui, sans-serif`
  for (const { name, kind, from, until, open, lane, lasted } of data.steps) {
    const left = plot.valToPos(from, 'x', true)
    const end = plot.valToPos(until, 'x', true)
    const top = bbox.top + row * (lane + 1)
    ctx.fillStyle = colour(kind)
    ctx.beginPath()
    ctx.roundRect(left, top + 2 * ratio, Math.max(3 * ratio, end - left), row - 6 * ratio, 3 * ratio)
    ctx.fill()
    const text = `${name}, ${lasted}${open ? ', not undone' : ''}`
    const room = ctx.measureText(text).width + 14 * ratio
    const seenLeft = Math.max(left, bbox.left)
    const fits = Math.min(end, right) - seenLeft >= room
    const before = data.steps.some((other) => other.lane === lane && other.until <= from)
    const next = data.steps.find((other) => other.lane === lane && other.from >= until && other.from > from)
    const isAfter = !fits && end + room <= (next ? plot.valToPos(next.from, 'x', true) : right)
    // No room beside others of its lane: the list of the timeline has it.
    if (!fits && !isAfter && before) continue
    ctx.fillStyle = colour(fits ? 'bar-text' : 'text')
    ctx.textAlign = fits || isAfter ? 'left' : 'right'
    const at = fits ? seenLeft + 7 * ratio : isAfter ? end + 6 * ratio : left - 6 * ratio
    ctx.fillText(text, at, top + (row - 2 * ratio) / 2)
  }
  ctx.restore()
}

/** The figures of a point, in words. */
function describePoint(data: ChartData, index: number): string {
  const time = data.times[index] ?? 0
  const active = data.steps.filter(({ from, until }) => from <= time && time <= until).map(({ name }) => name)
  return [
    `${offsetText(Math.floor(time))} ${data.phaseOfPoint[index] ?? ''}`,
    `p50 ${durationText(data.p50[index])}`,
    `p95 ${durationText(data.p95[index])}`,
    `p99 ${durationText(data.p99[index])}`,
    `${percentText(data.errorPercent[index])} of ${data.attempts[index] ?? 0} not good`,
    ...data.metrics.map(({ name, values }) => `${name} ${numberText(values[index])}`),
    ...(active.length === 0 ? [] : [`under way: ${active.join(', ')}`]),
  ].join(' · ')
}

/** Where a key leads from a point; undefined: nowhere. */
function pointAfterKey(key: string, index: number, last: number): number | undefined {
  const steps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }
  if (key === 'Home') return 0
  if (key === 'End') return last
  const step = steps[key]
  return step === undefined ? undefined : Math.min(last, Math.max(0, index + step))
}

function listenToKeys(holder: PageElement, plots: readonly Plot[], data: ChartData): void {
  const last = data.times.length - 1
  let index = -1
  function view(min: number, max: number): void {
    for (const plot of plots) plot.setScale('x', { min: Math.max(0, min), max: Math.min(data.untilSeconds, max) })
  }
  function point(): void {
    for (const plot of plots) {
      const isOut = index < 0
      const left = isOut ? -10 : plot.valToPos(data.times[index] ?? 0, 'x')
      plot.setCursor({ left, top: isOut ? -10 : plot.over.clientHeight / 2 }, true)
    }
  }
  function zoom(factor: number): void {
    const { min, max } = plots[0]?.scales.x ?? { min: 0, max: data.untilSeconds }
    const middle = data.times[index] ?? (min + max) / 2
    const half = Math.max(1, ((max - min) * factor) / 2)
    view(middle - half, middle + half)
  }
  holder.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    const next = pointAfterKey(event.key, index, last)
    if (next !== undefined) {
      index = next
      const { min, max } = plots[0]?.scales.x ?? { min: 0, max: data.untilSeconds }
      const time = data.times[index] ?? 0
      if (time < min || time > max) view(time - (max - min) / 2, time + (max - min) / 2)
    } else if (event.key === '+') zoom(0.5)
    else if (event.key === '-') zoom(2)
    else if (event.key === 'Escape') {
      index = -1
      view(0, data.untilSeconds)
    } else return
    event.preventDefault()
    // A new view is in force once this turn is over.
    void Promise.resolve().then(point)
  })
}

function laneOptions(data: ChartData): object {
  return {
    scales: { y: { range: [0, 1] } },
    axes: axes(false, () => ''),
    series: [{}, { points: { show: false } }],
    hooks: { draw: [(plot: Plot) => drawLanes(plot, data)] },
  }
}

function linearRange(_plot: Plot, _min: number | null, max: number | null): readonly [number, number] {
  return [0, Math.max(1, max ?? 0) * 1.08]
}

function logarithmicRange(_plot: Plot, min: number | null, max: number | null): readonly [number, number] {
  return [Math.max(0.01, min ?? 0) / 1.5, Math.max(1, max ?? 0) * 1.5]
}

function latencyOptions(data: ChartData, isLogarithmic: boolean, tell: (point: number | undefined) => void): object {
  return {
    scales: { y: isLogarithmic ? { distr: 3, range: logarithmicRange } : { range: linearRange } },
    axes: axes(true, durationText),
    series: [{}, line('p99', 1.5), line('p95', 2), line('p50', 2)],
    hooks: {
      drawClear: [(plot: Plot) => drawShades(plot, data)],
      drawAxes: [(plot: Plot) => drawBand(plot, data)],
      setCursor: [({ cursor: { idx } }: Plot) => tell(typeof idx === 'number' ? idx : undefined)],
    },
  }
}

function errorOptions(data: ChartData): object {
  const top = (max: number | null) => Math.max(1, (max ?? 0) * 1.08, (data.errorLimitPercent ?? 0) * 1.3)
  return {
    scales: { y: { range: (_plot: Plot, _min: number, max: number | null) => [0, top(max)] } },
    axes: axes(true, percentText),
    series: [{}, line('errors', 2)],
    hooks: {
      drawClear: [(plot: Plot) => drawShades(plot, data)],
      draw: [(plot: Plot) => drawLimitAndOutages(plot, data)],
    },
  }
}

/** From zero, on whichever side the values are. */
function metricRange(_plot: Plot, min: number | null, max: number | null): readonly [number, number] {
  const [low, high] = [Math.min(0, min ?? 0), Math.max(0, max ?? 0)]
  return low === high ? [0, 1] : [low * 1.08, high * 1.08]
}

function metricOptions(data: ChartData): object {
  return {
    scales: { y: { range: metricRange } },
    axes: axes(true, numberText),
    // It may be asked less often than once a second.
    series: [{}, { ...line('metric', 2), spanGaps: true }],
    hooks: { drawClear: [(plot: Plot) => drawShades(plot, data)] },
  }
}

/** A place for a chart, below those that are there. */
function addBox(holder: PageElement, title: string): PageElement {
  const heading = document.createElement('p')
  heading.className = 'chart-title'
  heading.textContent = title
  const box = document.createElement('div')
  holder.append(...(title === '' ? [] : [heading]), box)
  return box
}

function drawReport(data: ChartData): void {
  const holder = document.getElementById('plots')
  const readout = document.getElementById('readout')
  const logarithmic = document.getElementById('logarithmic')
  if (!holder || !readout || !logarithmic) return
  const nothing = readout.textContent
  function tell(point: number | undefined): void {
    if (readout) readout.textContent = point === undefined ? nothing : describePoint(data, point)
  }
  function draw(box: PageElement, height: number, options: object, values: Values): Plot {
    return new uPlot(merged(commonOptions(data, box.clientWidth, height), options), [data.times, ...values], box)
  }
  const [lanes, latency, errors] = [
    addBox(holder, ''),
    addBox(holder, 'Latency of all attempts'),
    addBox(holder, 'Attempts that were not good'),
  ]
  function drawLatency(): Plot {
    return draw(latency, 300, latencyOptions(data, logarithmic?.checked === true, tell), [data.p99, data.p95, data.p50])
  }
  const plots = [
    draw(lanes, (data.lanes + 1) * 26 + 10, laneOptions(data), [data.times.map(() => null)]),
    drawLatency(),
    draw(errors, 180, errorOptions(data), [data.errorPercent]),
    ...data.metrics.map(({ name, values }) => draw(addBox(holder, name), 140, metricOptions(data), [values])),
  ]
  logarithmic.addEventListener('change', () => {
    plots[1]?.destroy()
    plots[1] = drawLatency()
    const view = plots[0]?.scales.x
    if (view) plots[1].setScale('x', { min: view.min, max: view.max })
  })
  listenToKeys(holder, plots, data)
  listenToWindow(holder, plots)
}

/** Deep, but for lists. */
function merged(one: object, other: object): object {
  const result: Record<string, unknown> = { ...one }
  for (const [key, value] of Object.entries(other)) {
    const before = result[key]
    const isBranch = typeof before === 'object' && before !== null && !Array.isArray(value)
    result[key] = isBranch ? merged(before, value as object) : value
  }
  return result
}

/** Its size, its colours, and paper. */
function listenToWindow(holder: PageElement, plots: readonly Plot[]): void {
  function fit(width: number): void {
    for (const plot of plots) {
      plot.setSize({ width, height: plot.height })
      plot.redraw(false, true)
    }
  }
  window.addEventListener('resize', () => fit(holder.clientWidth))
  window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => fit(holder.clientWidth))
  window.addEventListener('beforeprint', () => {
    document.documentElement.toggleAttribute('data-print', true)
    fit(680) // A4 and Letter without their margins
  })
  window.addEventListener('afterprint', () => {
    document.documentElement.toggleAttribute('data-print', false)
    fit(holder.clientWidth)
  })
}

function start(): void {
  const text = document.getElementById('chart-data')?.textContent
  if (text) drawReport(JSON.parse(text) as ChartData)
}

const parts = [
  colour,
  offsetText,
  durationText,
  percentText,
  numberText,
  commonOptions,
  xRange,
  labelled,
  axes,
  line,
  drawShades,
  drawBand,
  drawLimitAndOutages,
  drawLanes,
  describePoint,
  pointAfterKey,
  listenToKeys,
  laneOptions,
  linearRange,
  logarithmicRange,
  latencyOptions,
  errorOptions,
  metricRange,
  metricOptions,
  addBox,
  drawReport,
  merged,
  listenToWindow,
  start,
]

/** To stand in the page behind uPlot and the data. */
export const browserProgram = `(() => {\n${parts.map(String).join('\n')}\nstart()\n})()`
