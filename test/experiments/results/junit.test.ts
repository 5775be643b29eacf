import { describe, expect, test } from 'vitest'
import { renderJunit } from '../../../experiments/results/index.ts'
import { aborted, all, hostile, inconclusive, violated } from './journals.ts'
import { parseStrictJunit } from './strict-junit.ts'

describe('is valid by the strict schema', () => {
  test.each(Object.entries(all))('%s', (_name, journal) => {
    const suite = parseStrictJunit(renderJunit(journal))
    expect(suite.children.filter(({ name }) => name === 'testcase')).toHaveLength(journal.verdicts.length + 1)
  })
})

test('a failed SLO is a failure, an inconclusive one is skipped, the run is a test of its own', () => {
  const suite = parseStrictJunit(renderJunit(violated))
  expect(suite.attributes).toEqual({
    name: violated.title,
    time: '300',
    // In UTC: the schema allows no zone.
    timestamp: '2030-01-31T10:00:00',
    tests: '7',
    failures: '3',
    errors: '0',
    skipped: '1',
  })
  const tests = suite.children.filter(({ name }) => name === 'testcase')
  const results = tests.map(({ attributes, children }) => [attributes['name'], children[0]?.name])
  expect(results).toEqual([
    ['the run', undefined],
    ['Mean time to recovery', 'system-out'],
    ['Error rate', 'failure'],
    ['Availability', 'failure'],
    ['Latency degradation', 'failure'],
    ['Recovery time', 'skipped'],
    ['orders are consistent', 'system-out'],
  ])
  expect(tests[2]?.children[0]?.attributes).toEqual({
    message: '353 of 3,800 attempts failed: 9.3 %, at least 8.4 % with 95 % confidence, limit 5 %',
    type: 'slo_violated',
  })
  const output = tests[2]?.children[1]?.text
  expect(output).toContain('measured 9.3 %, limit ≤ 5 %, 95 % interval 8.4 % to 10.3 %, 3800 samples')
  expect(output).toContain('Retries amplify the load')
})

test('trouble of the run is an error, what could not be decided is none', () => {
  const [, run] = parseStrictJunit(renderJunit(aborted)).children
  expect(run?.children[0]).toMatchObject({ name: 'error', attributes: { type: 'aborted' } })
  expect(parseStrictJunit(renderJunit(inconclusive)).attributes).toMatchObject({
    errors: '0',
    failures: '0',
    skipped: '1',
  })
})

test('texts from outside come through, but for characters that XML can’t have', () => {
  const title = `${hostile.title}\u0000\ud800`
  const suite = parseStrictJunit(renderJunit({ ...hostile, title }))
  expect(suite.attributes['name']).toBe(`${hostile.title}\uFFFD\uFFFD`)
  expect(suite.children[2]?.children[1]?.text).toContain(hostile.verdicts[0]!.why)
})

test('the time is a decimal, however short', () => {
  expect(parseStrictJunit(renderJunit({ ...aborted, durationMs: 0.0001 })).attributes['time']).toBe('0')
})
