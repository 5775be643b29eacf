// Texts with units, as experiment files have them: durations, rates, shares, comparisons. Each has a schema, whose
// pattern editors know as well, and a function that reads what has passed it.
import { Type, type StringOptions } from '@sinclair/typebox'
import { FaultlineError } from '../../proxy/errors.ts'
import { describeValue } from '../../proxy/describe-value.ts'
import type { Comparison, ComparisonOperator } from '../probes/index.ts'

const MS_PER_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
/** A day: what is to last longer is no experiment. */
const MAX_DURATION_MS = 24 * 3_600_000
const MAX_RATE_PER_SECOND = 10_000

const NUMBER = '\\d+(?:\\.\\d+)?'
/** At most 100%, or 1: also as a text, as variables in quotes are. */
const SHARE = '(?:(?:100(?:\\.0+)?|\\d{1,2}(?:\\.\\d+)?)%|0(?:\\.\\d+)?|1)'
const DURATION = `(?:${NUMBER}(?:ms|s|m|h))+`
const OPERATOR = '(?:<=|>=|==|!=|<|>)'

const DURATION_EXPECTED = 'a duration such as 200ms, 60s or 1m30s'
const RATE_EXPECTED = 'a rate such as 20/s or 5/m'
const SHARE_EXPECTED = 'a share such as 5% or 0.05'

export const durationSchema = (description: string, options: StringOptions = {}) =>
  Type.String({ ...options, description, pattern: `^${DURATION}$`, expected: DURATION_EXPECTED })

export const rateSchema = (description: string) =>
  Type.String({ description, pattern: `^${NUMBER}/(?:s|m|h)$`, expected: RATE_EXPECTED })

export const shareSchema = (description: string) =>
  Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.String({ pattern: `^${SHARE}$` })], {
    description,
    expected: SHARE_EXPECTED,
  })

/** What is compared: times in milliseconds, shares from 0 to 1, or any number. */
export type ComparedUnit = 'duration' | 'share' | 'number'

const comparisons: Readonly<Record<ComparedUnit, { readonly value: string; readonly example: string }>> = {
  duration: { value: DURATION, example: '"< 800ms"' },
  share: { value: SHARE, example: '"> 50%"' },
  number: { value: `-?${NUMBER}`, example: '"< 5"' },
}

export const comparisonSchema = (unit: ComparedUnit, description: string) =>
  Type.String({
    description,
    pattern: `^\\s*${OPERATOR}\\s*${comparisons[unit].value}\\s*$`,
    expected: `a comparison such as ${comparisons[unit].example}`,
  })

export interface DurationBounds {
  /** Default 1. */
  readonly minMs?: number
  /** Default a day. */
  readonly maxMs?: number
  /** Where the maximum comes from, e.g. `safety.maxDuration`. */
  readonly because?: string
}

/**
 * Milliseconds.
 *
 * @throws FaultlineError `invalid_value` naming the field
 */
export function readDuration(text: string, field: string, bounds: DurationBounds = {}): number {
  const { minMs = 1, maxMs = MAX_DURATION_MS, because } = bounds
  const durationMs = parseDuration(text)
  if (durationMs >= minMs && durationMs <= maxMs) return durationMs
  const reason = because === undefined ? '' : `, ${because}`
  const range = durationMs < minMs ? `at least ${formatDuration(minMs)}` : `at most ${formatDuration(maxMs)}${reason}`
  throw refuse(field, `a duration of ${range}`, text)
}

/** Per second. @throws FaultlineError `invalid_value` naming the field */
export function readRate(text: string, field: string): number {
  const [amount = '', unit = ''] = text.split('/')
  const perSecond = (Number(amount) * 1000) / (MS_PER_UNIT[unit] ?? NaN)
  if (perSecond > 0 && perSecond <= MAX_RATE_PER_SECOND) return perSecond
  throw refuse(field, `a rate above 0 and at most ${MAX_RATE_PER_SECOND}/s`, text)
}

/** From 0 to 1. */
export function readShare(share: number | string): number {
  return typeof share === 'number' ? share : parseShare(share)
}

/** With the number in the unit's base: milliseconds, or a share from 0 to 1. */
export function readComparison(text: string, unit: ComparedUnit): Comparison {
  const [, op = '', value = ''] = new RegExp(`^\\s*(${OPERATOR})\\s*(\\S+)\\s*$`).exec(text) ?? []
  const number = unit === 'duration' ? parseDuration(value) : unit === 'share' ? parseShare(value) : Number(value)
  return { op: op as ComparisonOperator, number }
}

/** Whether a text is meant as a comparison and not as a value. */
export function looksLikeComparison(text: string): boolean {
  return new RegExp(`^\\s*${OPERATOR}`).test(text)
}

function parseDuration(text: string): number {
  const parts = text.matchAll(new RegExp(`(${NUMBER})(ms|s|m|h)`, 'g'))
  return [...parts].reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (MS_PER_UNIT[unit] ?? NaN), 0)
}

function parseShare(text: string): number {
  return text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text)
}

/** As files have it: `1m30s`, `200ms`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1000) return `${Math.round(durationMs)}ms`
  const seconds = Math.round(durationMs / 100) / 10
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  const rest = Math.round((seconds % 60) * 10) / 10
  const text = [hours > 0 ? `${hours}h` : '', minutes > 0 ? `${minutes}m` : '', rest > 0 ? `${rest}s` : ''].join('')
  return text
}

/** `5%`. */
export function formatShare(share: number): string {
  return `${Math.round(share * 1000) / 10}%`
}

function refuse(field: string, expected: string, value: unknown): FaultlineError {
  const message = `${field}: expected ${expected}, got ${describeValue(value)}`
  return new FaultlineError('invalid_value', message, { field, expected })
}
