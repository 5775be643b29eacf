import { expect, test } from 'vitest'
import {
  formatDuration,
  formatNumber,
  formatOffset,
  formatReached,
  formatShare,
  formatWallTime,
} from '../../../experiments/results/figures.ts'
import { formatLimit, formatSlo } from '../../../experiments/results/slo.ts'
import { verdict } from './journals.ts'

test.each([
  [0, '0 ms'],
  [0.44, '0.4 ms'],
  [82.6, '83 ms'],
  [999.6, '1 s'],
  [1250, '1.25 s'],
  [59_999, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [3_725_000, '1 h 2 min'],
  [-1420, '−1.42 s'],
  [null, '–'],
  [Number.NaN, '–'],
])('the duration %d is %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})

test.each([
  [0, '0 %'],
  [1, '100 %'],
  [0.05, '5 %'],
  [0.0423, '4.2 %'],
  // Never rounded to what it is not.
  [0.99997, '99.997 %'],
  [0.000012, '0.0012 %'],
  [1e-12, '< 0.000001 %'],
  [1 - 1e-12, '> 99.999999 %'],
  [null, '–'],
])('the share %d is %s', (share, text) => {
  expect(formatShare(share)).toBe(text)
})

test.each([
  [0, '0:00'],
  [65_000, '1:05'],
  [65_340, '1:05.3'],
  [59_990, '1:00'],
  [3_600_000, '60:00'],
])('the time %d is %s', (ms, text) => {
  expect(formatOffset(ms)).toBe(text)
})

test('wall times are in UTC, and what is none stays as it is', () => {
  expect(formatWallTime('2030-01-31T12:00:00.250+02:00')).toBe('2030-01-31 10:00:00 UTC')
  expect(formatWallTime('yesterday')).toBe('yesterday')
})

test('an SLO has its unit, and the sign of its limit, unless nobody knows them', () => {
  expect(formatSlo('errorRate', 0.093)).toBe('9.3 %')
  expect(formatSlo('mttr', 8750)).toBe('8.75 s')
  expect(formatSlo('orders are consistent', 3)).toBe('3')
  expect(formatSlo('checkout: p95', 812)).toBe('812 ms')
  expect(formatLimit(verdict('a: b: availability', 'pass', { threshold: 0.99 }))).toBe('≥ 99 %')
  expect(formatSlo('p95', 812)).toBe('812')
  // A name that objects have by themselves is a steady state's like any other.
  expect(formatSlo('constructor', 3)).toBe('3')
  expect(formatLimit(verdict('errorRate', 'pass', { threshold: 0.05 }))).toBe('≤ 5 %')
  expect(formatLimit(verdict('availability', 'pass', { threshold: 0.95 }))).toBe('≥ 95 %')
  expect(formatLimit(verdict('orders are consistent', 'pass', { threshold: 0 }))).toBe('0')
  expect(formatNumber(-0.12345)).toBe('−0.1235')
})

test('what was reached stands beside what was asked for, and what nobody asked for is left out', () => {
  const requested = { cpuCores: 0.4, bytesPerSecond: 2_097_152, freeBytes: 1 }
  expect(formatReached(requested, { cpuCores: 0.386_44, bytesPerSecond: 2_000_000, averageLoadPercent: 19 })).toBe(
    'cpuCores 0.3864 of 0.4, bytesPerSecond 1.91 MiB of 2 MiB',
  )
  expect(formatReached(requested, {})).toBe('')
})
