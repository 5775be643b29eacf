// Custom metrics: asked beside a run, recorded, and what aborts it.
import { describe, expect, test } from 'vitest'
import { AbortWatch } from '../../../experiments/runner/abort-watch.ts'
import { runExperiment } from '../../../experiments/runner/run.ts'
import { parseExperiment } from '../../../experiments/file/load.ts'
import { checkJournal } from '../../../experiments/results/journal-schema.ts'
import { startHttpService, type HttpService } from '../../support/http-service.ts'
import { minimal } from '../file/texts.ts'
import { experimentOf, remains, startSystem } from './support.ts'

/** Says how deep a queue is: as JSON, and as a Prometheus server. */
async function startStatistics(depth: () => number | undefined): Promise<HttpService> {
  return startHttpService((request, response) => {
    const value = depth()
    if (value === undefined) return response.writeHead(503).end()
    const isPrometheus = request.url?.startsWith('/api/v1/query?') === true
    const result = [{ metric: {}, value: [0, String(value * 10)] }]
    const answer = isPrometheus
      ? { status: 'success', data: { resultType: 'vector', result } }
      : { queue: { depth: value } }
    return response.end(JSON.stringify(answer))
  })
}

function metrics({ url }: HttpService): string {
  return `metrics:
  - { name: queue depth, http: "${url}/statistics", jsonPath: $.queue.depth, every: 100ms }
  - { name: ten times that, promql: { url: "${url}", query: sum(depth) }, every: 200ms }`
}

const noop = '{ fault: { proxy: shop, type: noop }, for: 300ms }'

describe('metrics of a run', () => {
  test('are recorded from its begin to its end, and what they missed', async () => {
    await using system = await startSystem()
    let asked = 0
    await using statistics = await startStatistics(() => (++asked % 5 === 0 ? undefined : 7))
    const experiment = await experimentOf(system.url, { failure: `[${noop}]`, head: metrics(statistics) })
    const { journal } = await runExperiment(experiment, system.target)
    expect(journal.outcome).not.toBe('error')
    const { 'queue depth': depth, 'ten times that': tenfold } = checkJournal(
      JSON.parse(JSON.stringify(journal)),
    ).metrics!
    // 0.8 s at least, at ten a second, of which a fifth is missed.
    expect(depth!.points.length).toBeGreaterThanOrEqual(5)
    expect(new Set(depth!.points.map(([, value]) => value))).toEqual(new Set([7]))
    expect(new Set(tenfold!.points.map(([, value]) => value))).toEqual(new Set([70]))
    const times = depth!.points.map(([atMs]) => atMs)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    expect([times[0]! < 100, times.at(-1)! > 600]).toEqual([true, true])
    const missed = [...Object.keys(depth!.missed), ...Object.keys(tenfold!.missed)]
    expect(missed).toEqual(expect.arrayContaining([expect.stringContaining('503')]))
  })

  test('that go beyond a limit abort it', async () => {
    await using system = await startSystem()
    let isActing = false
    await using statistics = await startStatistics(() => (isActing ? 500 : 7))
    const experiment = await experimentOf(system.url, {
      failure: `[${noop.replace('300ms', '10s')}]`,
      head: metrics(statistics),
      safety: '{ abortWhen: [{ metric: ten times that, value: "> 1000", over: 200ms }] }',
    })
    const { journal } = await runExperiment(experiment, system.target, {
      onEvent: (event) => (isActing ||= event.kind === 'step'),
    })
    expect(journal.outcome).toBe('aborted')
    // On a busy machine the mean may be of values from before, too.
    expect(journal.reason).toMatch(/^ten times that > 1000: it was [1-5]\d{3} in the last 200ms$/)
    expect(remains(system.network)).toEqual([])
  })

  test('have to be there before anything acts', async () => {
    await using system = await startSystem()
    await using statistics = await startStatistics(() => undefined)
    const experiment = await experimentOf(system.url, { failure: `[${noop}]`, head: metrics(statistics) })
    const { preparation, ...rest } = experiment
    const { journal, errors } = await runExperiment({ ...rest, preparation: { atMostMs: 150 } }, system.target)
    expect(preparation.atMostMs).toBe(2000)
    expect(journal).toMatchObject({ outcome: 'error', steps: [] })
    expect(errors.map(({ field }) => field)).toEqual(['metrics.0', 'metrics.1'])
    expect(errors[0]?.message).toMatch(
      /^metrics\.0 \(queue depth\): expected a number before anything acts, got status 503/,
    )
  })
})

test('a condition is about the mean of its time, once that has passed', async () => {
  const text = `metrics: [{ name: a, http: "http://h", jsonPath: $.a }, { name: b, http: "http://h", jsonPath: $.b }]
safety: { abortWhen: [{ metric: a, value: "< 10", over: 2s }] }
${minimal}`
  const { safety } = await parseExperiment('test.yaml', text)
  const breaches: string[] = []
  const watch = new AbortWatch(safety.abortWhen, (reason) => breaches.push(reason))
  watch.measured({ name: 'a', atMs: 1000, value: 1 })
  watch.measured({ name: 'b', atMs: 2500, value: 1 })
  watch.measured({ name: 'a', atMs: 2000, value: 30 })
  // 15.5 on average; the other metric is not meant.
  expect(breaches).toEqual([])
  watch.measured({ name: 'a', atMs: 4000, value: 9.5 })
  expect(breaches).toEqual(['a < 10: it was 9.5 in the last 2s'])
})
