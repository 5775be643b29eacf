// Reads custom metrics: numbers by PromQL, or by a JSON path of what a URL answers.
import { isObject } from '../../admin/config/mistakes.ts'
import { joinPath } from '../../proxy/validate.ts'
import { createProbe, type ProbeSpec } from '../probes/index.ts'
import { readAsked, shortForms } from './asking.ts'
import type { Metric } from './experiment.ts'
import type { MetricFields } from './fields.ts'
import type { Reading } from './reading.ts'

const MAX_METRICS = 50
const DEFAULT_EVERY_MS = 1000
const MIN_EVERY_MS = 100
const MAX_EVERY_MS = 3_600_000

/** @param given has passed its schema */
export async function readMetrics(reading: Reading, given: readonly MetricFields[]): Promise<readonly Metric[]> {
  if (given.length > MAX_METRICS) reading.refuse('metrics', `at most ${MAX_METRICS} metrics`, given.length)
  const metrics: Metric[] = []
  const names = new Set<string>()
  for (const [index, fields] of given.entries()) {
    const path = `metrics.${index}`
    if (names.has(fields.name)) reading.refuse(`${path}.name`, 'a name that no other metric has', fields.name)
    names.add(fields.name)
    const metric = await readMetric(reading, fields, path)
    if (metric) metrics.push(metric)
  }
  return metrics
}

async function readMetric(reading: Reading, fields: MetricFields, path: string): Promise<Metric | undefined> {
  const { name, promql, http, jsonPath, every } = fields
  const { mistakes } = reading
  const before = mistakes.errors.length
  const bounds = { minMs: MIN_EVERY_MS, maxMs: MAX_EVERY_MS }
  const everyMs = reading.duration(every, joinPath(path, 'every'), DEFAULT_EVERY_MS, bounds)
  if (promql === undefined && http === undefined) reading.missing(path, 'one of promql, http')
  if (promql !== undefined && http !== undefined) reading.refuse(joinPath(path, 'http'), 'nothing beside promql', http)
  if (promql !== undefined && jsonPath !== undefined) {
    reading.refuse(joinPath(path, 'jsonPath'), 'nothing beside promql, which comes to a number', jsonPath)
  }
  if (http !== undefined && jsonPath === undefined) {
    reading.missing(joinPath(path, 'jsonPath'), 'the path of a number in what http answers')
  }
  const kind = promql === undefined ? 'http' : 'promql'
  const askPath = joinPath(path, kind)
  const asked = mistakes.collect(askPath, () => readAsked(kind, fields[kind], askPath))
  if (!asked || mistakes.errors.length > before) return undefined
  const expect = jsonPath === undefined ? {} : { expect: { jsonPath: { path: jsonPath } } }
  const probe = { kind, name, ...asked, ...expect } as unknown as ProbeSpec
  const isShort = shortForms[kind] !== undefined && !isObject(fields[kind])
  const rename = (field: string): string => {
    if (field.startsWith('expect.')) return joinPath(path, 'jsonPath')
    if (field === 'name') return joinPath(path, 'name')
    return isShort ? askPath : joinPath(askPath, field.replace(/^timeoutMs$/, 'timeout'))
  }
  await reading.checked(path, rename, () => createProbe(probe).close())
  return mistakes.errors.length > before ? undefined : { name, probe, everyMs }
}
