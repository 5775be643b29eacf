// The JSON Schema of experiment files, as editors use it: it agrees with what the runner takes.
import { Ajv, type ValidateFunction } from 'ajv'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { experimentJsonSchema } from '../../../experiments/file/json-schema.ts'
import { parseExperiment } from '../../../experiments/file/load.ts'
import { DESIGN, minimal, stateWith, stepsWith } from './texts.ts'

let accepts: ValidateFunction
beforeAll(() => {
  // Not strict: it knows no `writeOnly` and the like, which are for readers.
  accepts = new Ajv({ allErrors: true, strict: false }).compile(experimentJsonSchema())
})

/** As an editor sees it: variables are not filled in. */
function editorAccepts(text: string): boolean {
  return accepts(parse(text, { logLevel: 'silent' }))
}

function runnerAccepts(text: string): Promise<boolean> {
  const environment = { TARGET: 'http://localhost:8080', DB: 'postgres://localhost/shop', FOR: '5s', SHARE: '0.5' }
  return parseExperiment('checkout.yaml', text, { environment }).then(
    () => true,
    () => false,
  )
}

const fault = 'fault: { proxy: a, type: latency, attributes: { latency: 5 } }'

describe('what runner and schema both take', () => {
  test.each([
    DESIGN,
    minimal,
    `$schema: ./faultline-experiment.schema.json\n${minimal}`,
    `safety: { blastRadius: "\${SHARE}", blastRadiusByType: { latency: 5% } }\n${minimal}`,
    `metrics: [{ name: a, http: "\${TARGET}", jsonPath: $.a }, { name: b, promql: { url: "http://p", query: up }, every: 5s }]\nsafety: { abortWhen: [{ metric: a, value: "> 5" }] }\n${minimal}`,
    `safety: { rollback: false, keepFor: 5m }\n${minimal}`,
    stepsWith('[{ load: { http: "${TARGET}", rate: 50/s, ramp: 5s, rampFrom: 5/s }, for: 30s }]'),
    `notify: [{ url: "\${TARGET}" }, { url: "http://h", on: [phase, stopped] }]\n${minimal}`,
    stepsWith(`[{ ${fault}, for: "\${FOR}" }]`),
    stepsWith(`[{ sequence: [{ parallel: [{ ${fault}, for: 1s }] }, { wait: 5s }] }]`),
    stepsWith('[{ partition: { shape: halves, services: [a, b] }, for: 5s }]'),
    stepsWith('[{ container: { name: db, action: restart }, for: 5s }]'),
    stepsWith('[{ process: { name: { glob: "post*" }, action: slow, share: 0.5 }, for: 5s }]'),
    stepsWith('[{ fault: { proxy: a, type: drop, attributes: { rate: 0.5 } }, for: 5s, ramp: 1s }]'),
    stepsWith('[{ load: { sql: { url: "${DB}", query: select 1 }, rate: 5/m }, for: 1m30s }]'),
    stateWith('promql: { url: "http://p:9090", query: up }, expect: 1'),
    stateWith('http: "${TARGET}", expect: { status: any, p95: "< 1s", jsonPath: { path: $.a, equals: 5 } }'),
  ])('%s', async (text) => {
    expect([await runnerAccepts(text), editorAccepts(text)]).toEqual([true, true])
    expect(accepts.errors).toBeNull()
  })
})

describe('what both refuse', () => {
  test.each([
    'title: x',
    minimal.replace('title', 'titel'),
    `environment: live\n${minimal}`,
    `phases: { failure: [] }\n${minimal.slice(0, minimal.indexOf('phases'))}`,
    `slo: { errorRate: 101% }\n${minimal}`,
    `safety: { abortWhen: [{ errorRate: 50% }] }\n${minimal}`,
    `metrics: [{ name: a, sql: { url: "postgres://h", query: x } }]\n${minimal}`,
    `metrics: [{ http: "\${TARGET}", jsonPath: $.a }]\n${minimal}`,
    `notify: [{ url: "http://h", on: [ended] }]\n${minimal}`,
    `notify: [{ on: [started] }]\n${minimal}`,
    stepsWith(`[{ ${fault}, wait: 5s }]`),
    stepsWith(`[{ ${fault}, for: -5s }]`),
    stepsWith('[{ fault: { proxy: a, type: latncy }, for: 5s }]'),
    stepsWith('[{ fault: { proxy: a, type: latency, attributes: { latncy: 5 } }, for: 5s }]'),
    stepsWith('[{ stress: { kind: cpu, laod: 5 }, for: 5s }]'),
    stepsWith('[{ parallel: [{ for: 5s }] }]'),
    stateWith('http: "${TARGET}", tcp: "a:1"'),
    stateWith('http: { url: "${TARGET}", metod: GET }'),
    stateWith('tcp: "a:1", expect: { status: 200 }'),
  ])('%s', async (text) => {
    expect([await runnerAccepts(text), editorAccepts(text)]).toEqual([false, false])
  })
})
