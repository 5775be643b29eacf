import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
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
    `chaos_latency_degradation_ms${labels} 1420`,
    `chaos_recovery_time_seconds${labels} 14.3`,
    `chaos_slo_passed${labels} 0`,
    `chaos_slo_violations_count${labels} 3`,
  ])
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

test.skipIf(spawnSync('promtool', ['--version']).status !== 0)(
  "Prometheus' linter finds nothing but two names, which are as others have them",
  async () => {
    const page = (await Promise.all(Object.values(all).map(renderMetrics))).map((text) => {
      const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
      return [...stdout.split('\n'), ...stderr.split('\n')].filter((line) => line !== '')
    })
    expect(new Set(page.flat())).toEqual(
      new Set([
        'chaos_latency_degradation_ms metric names should not contain abbreviated units',
        'chaos_slo_violations_count non-histogram and non-summary metrics should not have "_count" suffix',
      ]),
    )
  },
)
