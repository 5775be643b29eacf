import { describe, expect, test } from 'vitest'
import type { Journal } from '../../../experiments/model.ts'
import { MAX_MARKDOWN_CHARACTERS, renderMarkdown } from '../../../experiments/results/index.ts'
import { markdownText } from '../../../experiments/results/markdown-text.ts'
import { aborted, all, cleanupIncomplete, empty, hostile, passed, queueDepth, verdict, violated } from './journals.ts'

test('the verdict comes first, then the SLOs, causes, and the timeline', () => {
  const report = renderMarkdown(violated)
  const lines = report.split('\n')
  expect(lines[0]).toBe('## ❌ Checkout survives a slow payment service: violated')
  expect(lines[2]).toBe('**3 of 6 SLOs were not kept: Error rate, Availability, Latency degradation.**')
  expect(lines[4]).toBe('staging · 2030-01-31 10:00:00 UTC · 5 min 0 s · seed 42 · run run-2')
  expect(report).toContain('| Error rate | ❌ fail | 9.3 % | ≤ 5 % | 8.4 % to 10.3 % | 3800 |\n')
  expect(report).toContain('- **Recovery time**: stable after 14.3 s, but it may truly be as little as 8.2 s\n')
  expect(report).toContain(
    '- Seen: http\\_error on payments acted 3 times for each of 975 attempts, of which 23.5 % failed all the same\n',
  )
  expect(report).toContain('- `1:40.6` latency on payments begins\n')
  expect(report).toContain(
    '- `2:20.6` stress cpu ends, after 20 s: workers 2 of 2, loadPercent 79.4 of 80, cpuCores 1.588 of 1.6; 2 threads at most here\n',
  )
  expect(report).toContain('- `3:51.4` the outage ends, after 8.75 s\n')
  const headings = lines.filter((line) => line.startsWith('### '))
  expect(headings).toEqual(['### Likely causes, and what to try next', '### Timeline', '### Figures'])
})

test.each([
  [passed, '**All 2 SLOs were kept.**'],
  [aborted, '**The run was stopped before its end: error rate 100 % for 2 s, above 50 %.**'],
  [
    empty,
    '**The run could not be carried out: probe checkout answers: ECONNREFUSED. This says nothing about the system.**',
  ],
  [
    cleanupIncomplete,
    '**Not everything could be undone: the server did not answer. Left behind: latency on payments.**',
  ],
])('the outcome in a sentence: %#', (journal, sentence) => {
  expect(renderMarkdown(journal)).toContain(`\n${sentence}\n`)
})

test('a step that went wrong, and an outage without an end, are in the timeline', () => {
  const report = renderMarkdown(aborted)
  expect(report).toContain('- `0:07.5` partition api → payments: the proxy api-payments is gone\n')
  expect(report).toContain('- `0:05.2` an outage begins that has not ended after 2.3 s\n')
})

test('custom metrics are in a table, phase by phase, with what was missed; so is whoever could not be told', () => {
  const notifications = [
    { event: 'finished', webhook: 'http://hook', atMs: 5000, attempts: 2, error: 'timeout' },
  ] as const
  const report = renderMarkdown({ ...violated, metrics: { 'a|b': queueDepth }, notifications })
  expect(report).toMatch(/\| a\\\|b +\| baseline +\| +12 +\| +3 +\| +3 +\| +3 +\|\n/)
  expect(report).toContain('- a\\|b had no value 1 time: timeout\n')
  expect(report).toContain('- `0:05` http://hook was not told of finished: timeout\n')
  expect(renderMarkdown(violated)).not.toContain('Metrics by phase')
})

test('texts from outside are shown as they are, and are no markup', () => {
  const report = renderMarkdown(hostile)
  expect(report).not.toMatch(/<(?!\/?(details|summary)>)/)
  expect(report).not.toMatch(/@everyone|#1\b/)
  expect(report).not.toMatch(/\n# /)
  expect(report).not.toMatch(/(^|[^\\])\[click/)
  // A cell has no bar of its own.
  const row = report.split('\n').find((line) => line.includes('onclick'))
  expect(row).toContain(String.raw`a\|b`)
})

describe('a text on one line', () => {
  test.each([
    ['a\n\n# b', 'a # b'],
    ['# b', String.raw`\# b`],
    ['1. b', String.raw`1\. b`],
    ['**b** _c_ `d` ~e~ $f$', String.raw`\*\*b\*\* \_c\_ \`d\` \~e\~ \$f\$`],
    ['![i](u)', String.raw`\!\[i\](u)`],
    ['&amp; <b>', '&amp;amp; &lt;b&gt;'],
    ['@a #2 GH-3', '@&#8203;a #&#8203;2 GH-&#8203;3'],
  ])('%j', (text, markdown) => {
    expect(markdownText(text)).toBe(markdown)
  })

  test('is cut between characters', () => {
    expect(markdownText('🙂🙂🙂', 4)).toBe('🙂…')
  })
})

describe('fits into a comment', () => {
  test.each(Object.entries(all))('%s', (_name, journal) => {
    expect(renderMarkdown(journal).length).toBeLessThanOrEqual(MAX_MARKDOWN_CHARACTERS)
  })

  test('whatever there is to say, and says that there is more', () => {
    // Characters that become longest by escaping.
    const long = '<'.repeat(5000)
    const many = Array.from({ length: 500 }, (_, index) => `${index} ${long}`)
    const monster: Journal = {
      ...violated,
      title: long,
      environment: long,
      id: long,
      steps: many.map((name) => ({ ...violated.steps[0]!, name, error: long })),
      verdicts: many.map((slo) => verdict(slo, 'fail', { why: long })),
      probes: Object.fromEntries(many.map((name) => [name, violated.probes['cart answers']!])),
      reasons: { api: Object.fromEntries(many.map((reason) => [`pool ${reason}`, 1])) },
    }
    const report = renderMarkdown(monster)
    expect(report.length).toBeLessThanOrEqual(65_535)
    expect(report).toMatch(/^## ❌ /)
    expect(report).toContain('| SLO | Verdict |')
    expect(report).toContain('_and 440 more SLOs, in report.html_')
    expect(report).toContain('see report.html and results.json')
  })
})
