import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Journal, Verdict } from '../../../experiments/model.ts'
import { addToHistory, readHistory, renderTrend, trendOf } from '../../../experiments/results/index.ts'
import { inconclusive, passed, verdict } from './journals.ts'

function run(day: number, verdicts: readonly Verdict[], rest: Partial<Journal> = {}): Journal {
  return { ...inconclusive, id: `run-${day}`, startedAt: `2030-01-0${day}T10:00:00.000Z`, verdicts, ...rest }
}

function rate(low: number, high: number, slo = 'errorRate'): Verdict {
  return verdict(slo, 'pass', { measured: (low + high) / 2, interval: [low, high] })
}

describe('a figure is better or worse only if the intervals are apart', () => {
  test.each([
    ['better', rate(0.05, 0.07), rate(0.01, 0.03)],
    ['worse', rate(0.01, 0.03), rate(0.05, 0.07)],
    ['unclear', rate(0.01, 0.04), rate(0.03, 0.07)],
    // Of availability more is better.
    ['better', rate(0.9, 0.92, 'availability'), rate(0.95, 0.97, 'availability')],
    ['worse', rate(0.95, 0.97, 'availability'), rate(0.9, 0.92, 'availability')],
    // Of a steady state nobody knows.
    ['higher', rate(1, 2, 'orders'), rate(3, 4, 'orders')],
    ['lower', rate(3, 4, 'orders'), rate(1, 2, 'orders')],
    ['unknown', verdict('errorRate', 'pass'), rate(0.01, 0.03)],
  ] as const)('%s', (change, before, now) => {
    const [row] = trendOf([run(1, [before]), run(2, [now])]).rows
    expect(row).toMatchObject({ slo: now.slo, sinceBefore: change, sinceFirst: change })
  })
})

test('the last run is compared with the one before it and with the first', () => {
  const runs = [
    run(1, [rate(0.05, 0.07)]),
    run(2, [rate(0.01, 0.02)]),
    run(3, [rate(0.015, 0.025), verdict('mttr', 'fail')]),
  ]
  const { rows } = trendOf(runs)
  expect(rows.map(({ slo, sinceBefore, sinceFirst }) => [slo, sinceBefore, sinceFirst])).toEqual([
    ['errorRate', 'unclear', 'better'],
    ['mttr', 'unknown', 'unknown'],
  ])
  expect(renderTrend(trendOf(runs)).split('\n').slice(0, 9)).toEqual([
    '## Checkout survives a slow payment service',
    '',
    '| Run | Outcome | Error rate | Mean time to recovery |',
    '| --- | --- | ---: | ---: |',
    '| 2030-01-01 10:00:00 UTC | ❔ inconclusive | ✅ 6 % (5 % to 7 %) | – |',
    '| 2030-01-02 10:00:00 UTC | ❔ inconclusive | ✅ 1.5 % (1 % to 2 %) | – |',
    '| 2030-01-03 10:00:00 UTC | ❔ inconclusive | ✅ 2 % (1.5 % to 2.5 %) | ❌ 0 ms |',
    '| Last against the one before |  | no clear change | – |',
    '| Last against the first |  | ▲ better | – |',
  ])
})

test('one run is a trend of its own, none and those of several titles are not', () => {
  expect(renderTrend(trendOf([passed]))).not.toContain('Last against')
  expect(() => trendOf([])).toThrow('expected at least one run')
  expect(() => trendOf([passed, { ...passed, title: 'Another' }])).toThrow('got one of “Another”')
})

describe('the history', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'faultline-history-'))
  })

  afterAll(() => rm(folder, { recursive: true }))

  test('has the last runs of a title, the oldest first', async () => {
    const days = [3, 1, 4, 2].map((day) => run(day, []))
    for (const journal of [...days, run(9, [], { title: 'Another' }), days[0]!]) await addToHistory(journal, folder)
    const ids = (await readHistory(folder, passed.title, 3)).map(({ id }) => id)
    expect(ids).toEqual(['run-2', 'run-3', 'run-4'])
    expect(await readHistory(folder, passed.title)).toHaveLength(4)
    expect(await readHistory(folder, 'Never run')).toEqual([])
    expect(await readHistory(join(folder, 'not there'), passed.title)).toEqual([])
  })

  test('keeps apart what is almost the same, and stays in its folder', async () => {
    const titles = ['A/B', 'a b', '../../a-b', '', '日本語', 'x'.repeat(5000)]
    for (const title of titles) {
      const path = await addToHistory(run(1, [], { title, id: '../../../etc/passwd' }), folder)
      expect(path.startsWith(join(folder, '/'))).toBe(true)
      expect((await readHistory(folder, title)).map((each) => each.title)).toEqual([title])
    }
    expect(new Set(await readdir(folder)).size).toBe(2 + titles.length)
  })

  test('names a file that is no journal', async () => {
    const path = await addToHistory(run(1, [], { title: 'Broken' }), folder)
    await writeFile(path, '{}')
    await expect(readHistory(folder, 'Broken')).rejects.toThrow(path)
  })

  test.each([0, 1.5, Number.NaN])('of %d runs is refused', async (last) => {
    await expect(readHistory(folder, passed.title, last)).rejects.toThrow(`last: expected an integer ≥ 1`)
  })

  test('of a run that began at no time is refused', async () => {
    await expect(addToHistory({ ...passed, startedAt: 'noon' }, folder)).rejects.toThrow('startedAt: expected a time')
  })
})
