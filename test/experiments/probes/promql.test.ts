import { expect, test } from 'vitest'
import { createProbe } from '../../../experiments/probes/create.ts'
import type { PromqlProbeSpec } from '../../../experiments/probes/promql.ts'
import { startHttpService } from '../../support/http-service.ts'

const never = new AbortController().signal

/** Answers in the words of Prometheus' documentation, "HTTP API", "Expression query result formats". */
function answered(resultType: string, result: unknown): string {
  return JSON.stringify({ status: 'success', data: { resultType, result } })
}

test.each<[string, PromqlProbeSpec['expect'], object]>([
  [answered('scalar', [1435781451.781, '0.25']), undefined, { good: true, value: 0.25 }],
  [answered('vector', [{ metric: {}, value: [1435781451.781, '7'] }]), undefined, { good: true, value: 7 }],
  [answered('scalar', [1, '+Inf']), undefined, { good: true, value: Infinity }],
  [answered('scalar', [1, 'NaN']), undefined, { good: false, reason: 'value NaN, expected a number' }],
  [answered('scalar', [1, '7']), { value: { op: '<', number: 7 } }, { good: false, reason: 'value 7, expected < 7' }],
  [answered('vector', []), undefined, { good: false, reason: '0 samples, expected one' }],
  [answered('matrix', []), undefined, { good: false, reason: 'a matrix, expected a scalar or a vector' }],
  [answered('scalar', 7), undefined, { good: false, reason: 'a sample 7, expected a time and a number' }],
  ['{"status":"error","error":"parse error"}', undefined, { good: false, reason: 'the query failed: parse error' }],
  ['<html>', undefined, { good: false, reason: "status 200 without an answer of Prometheus'" }],
])('%s, expected %j', async (said, expectation, answer) => {
  await using service = await startHttpService((_request, response) => void response.end(said))
  const spec: PromqlProbeSpec = { kind: 'promql', name: 'errors', url: service.url, query: 'vector(1)' }
  await using probe = createProbe({ ...spec, ...(expectation && { expect: expectation }) })
  expect(await probe.run(never)).toMatchObject(answer)
})

test('the query is sent as it is, to the API under the URL', async () => {
  let asked = ''
  await using service = await startHttpService((request, response) => {
    asked = request.url ?? ''
    response.end(answered('scalar', [1, '1']))
  })
  const query = 'sum(rate(errors_total{code=~"5.."}[1m])) + 1'
  await using probe = createProbe({ kind: 'promql', name: 'errors', url: `${service.url}/prometheus/`, query })
  expect((await probe.run(never)).good).toBe(true)
  const url = new URL(asked, service.url)
  expect(url.pathname).toBe('/prometheus/api/v1/query')
  expect(url.searchParams.get('query')).toBe(query)
})

test('a query that is not there is refused', () => {
  const spec: PromqlProbeSpec = { kind: 'promql', name: 'errors', url: 'http://localhost', query: '' }
  expect(() => createProbe(spec)).toThrow('query: expected a PromQL query, got ""')
})
