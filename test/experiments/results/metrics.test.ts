import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { renderMetrics } from '../../../experiments/results/index.ts'
import { all, empty, inconclusive, neverRecovered, passed, violated } from './journals.ts'

const labels = '{experiment="Checkout survives a slow payment service",environment="staging"}'

function samples(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

test('each figure has its unit, and the names that dashboards know', async () => {
  expect(samples(await renderMetrics(violated))).toEqual([
    `chaos_mttr_seconds${labels} 8.75`,
    `chaos_error_rate_percent${labels} 9.3`,
    `chaos_availability_percent${labels} 90.7`,
    `chaos_latency_degradation_seconds${labels} 1.42`,
    `chaos_recovery_time_seconds${labels} 14.3`,
    `chaos_slo_passed${labels} 0`,
    `chaos_slo_violations_count${labels} 3`,
  ])
})

test('the classic names have the latency in milliseconds, and are the same else', async () => {
  const classic = samples(await renderMetrics(violated, 'classic'))
  expect(classic).toContain(`chaos_latency_degradation_ms${labels} 1420`)
  const [ours, theirs] = [samples(await renderMetrics(violated)), classic].map((lines) =>
    lines.filter((line) => !line.startsWith('chaos_latency_degradation')),
  )
  expect(theirs).toEqual(ours)
})

test('what was not measured has no sample', async () => {
  expect(samples(await renderMetrics(empty))).toEqual([
    `chaos_slo_passed${labels} 0`,
    `chaos_slo_violations_count${labels} 0`,
  ])
  expect(await renderMetrics(neverRecovered)).not.toMatch(/^chaos_mttr_seconds\{/m)
})

test.each([
  [passed, 1],
  [inconclusive, 0],
])('passed is 1 only if everything is known to be well: %#', async (journal, value) => {
  expect(await renderMetrics(journal)).toContain(`chaos_slo_passed${labels} ${value}\n`)
})

function lint(text: string): readonly [status: number | null, complaints: string] {
  const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  return [status, stderr.trim()]
}

describe.skipIf(spawnSync('promtool', ['--version']).status !== 0)("Prometheus' linter", () => {
  test.each(Object.entries(all))('finds nothing in %s', async (_name, journal) => {
    expect(lint(await renderMetrics(journal))).toEqual([0, ''])
  })

  test('finds the one name that is as others have it', async () => {
    const complaint = 'chaos_latency_degradation_ms metric names should not contain abbreviated units'
    expect(lint(await renderMetrics(violated, 'classic'))).toEqual([3, complaint])
  })
})
