// How stressors look to people.
import type { FeedEntryView, StressorView } from '../admin/client/v1-answers.ts'
import { endOf } from './v1-views.ts'

type Figures = StressorView['requested']

const UNITS = ['', 'KiB', 'MiB', 'GiB', 'TiB'] as const
const STEP = 1024

/** As flags take it: 512MiB, 1.5GiB, 100. */
export function sizeText(bytes: number): string {
  const power = Math.max(
    0,
    UNITS.findLastIndex((_, index) => Math.abs(bytes) >= STEP ** index),
  )
  return `${+(bytes / STEP ** power).toPrecision(4)}${UNITS[power] ?? ''}`
}

/** `cpuCores=1.6 loadPercent=80` */
export function figuresText(figures: Figures): string {
  const texts = Object.entries(figures).map(([name, value]) => `${name}=${figureText(name, value)}`)
  return texts.join(' ') || 'none'
}

/** `cpuCores 1.59 of 1.6`: what it has, and of what; what was not asked for stands alone. */
export function reachedText({ requested = {}, achieved = {} }: Pick<FeedEntryView, 'requested' | 'achieved'>): string {
  const texts = Object.entries(achieved).map(([name, value]) => {
    const asked = requested[name]
    return `${name} ${figureText(name, value)}${asked === undefined ? '' : ` of ${figureText(name, asked)}`}`
  })
  return texts.join(', ') || 'nothing measured yet'
}

function figureText(name: string, value: number): string {
  return /bytes/i.test(name) ? sizeText(value) : String(+value.toPrecision(4))
}

/** `cpu-1 (cpu): cpuCores=1.6 loadPercent=80; ends in 60 s` */
export function stressorText(stressor: StressorView): string {
  return `${stressor.name} (${stressor.type}): ${figuresText(stressor.requested)}; ends ${endOf(stressor)}`
}
