// The experiment file: what it says, and how exactly it is told what is wrong in it.
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../../admin/config/config-error.ts'
import type { Experiment } from '../../../experiments/file/experiment.ts'
import { parseExperiment } from '../../../experiments/file/load.ts'
import { DESIGN, minimal, stateWith, stepsWith } from './texts.ts'

type Variables = Readonly<Record<string, string>>

const variables: Variables = { TARGET: 'http://localhost:8080', DB: 'postgres://localhost/shop' }

function parse(text: string): Promise<Experiment> {
  return parseExperiment('checkout.yaml', text, { environment: variables })
}

/** What is wrong with a text, as `line:column: message`. */
async function problems(text: string): Promise<string[]> {
  const error: unknown = await parse(text).catch((thrown: unknown) => thrown)
  if (!(error instanceof ConfigError)) throw new Error('expected a ConfigError', { cause: error })
  return error.message.split('\n').map((line) => line.replace('checkout.yaml:', ''))
}

describe('what a file says', () => {
  test('is steady states, phases, thresholds and limits, in milliseconds and shares', async () => {
    const experiment = await parse(DESIGN)
    expect(experiment).toMatchObject({
      title: 'Checkout survives a slow payment service',
      environment: 'staging',
      steadyStates: [
        {
          name: 'checkout answers',
          probe: {
            kind: 'http',
            url: 'http://localhost:8080/checkout/health',
            timeoutMs: 2000,
            expect: { status: [200] },
          },
          perSecond: 20,
          aggregates: [{ name: 'p95', comparison: { op: '<', number: 800 } }],
          phases: ['baseline', 'stress', 'failure', 'recovery', 'validation'],
        },
        { probe: { kind: 'sql', expect: { equals: 0 } }, phases: ['baseline', 'validation'], perSecond: 1 },
      ],
      baseline: { forMs: 60_000 },
      stress: { forMs: 30_000, step: { action: { kind: 'load', perSecond: 50 } } },
      recovery: { atMostMs: 30_000, consecutive: 10 },
      validation: { attempts: 3 },
      slo: { mttrMs: 30_000, errorRate: 0.05, availability: 0.95, latencyDegradationMs: 500, recoveryTimeMs: 10_000 },
      safety: { maxDurationMs: 300_000, blastRadius: 0.3, severity: 3 },
    })
    expect(experiment.safety.abortWhen.map(({ text }) => text)).toEqual([
      'errorRate > 50%',
      'cpu > 90%',
      'memory > 85%',
      'responseTime > 5s',
    ])
    expect(experiment.safety.abortWhen.map(({ comparison }) => comparison.number)).toEqual([0.5, 0.9, 0.85, 5000])
  })

  test('places steps in time, whatever groups they are written in', async () => {
    const { failure } = await parse(DESIGN)
    expect(failure.forMs).toBe(60_000)
    expect(failure.steps.map(({ name, fromMs, untilMs, rampMs }) => [name, fromMs, untilMs, rampMs])).toEqual([
      ['fault latency on payments', 0, 60_000, 20_000],
      ['stress cpu', 30_000, 50_000, 0],
      ['process hang of worker', 30_000, 40_000, 0],
    ])
  })

  test.each([
    ['one after another', '[{ A, for: 5s }, { B, for: 3s }]', [0, 5, 5, 8]],
    ['at its time beside others', '[{ A, for: 5s }, { B, at: 1s, for: 3s }]', [0, 5, 1, 4]],
    ['until the end of the phase', '[{ A, at: 2s }, { B, at: 1s, for: 8s }]', [2, 9, 1, 9]],
    ['after a pause', '[{ A, for: 1s }, { wait: 1m1s }, { B, for: 1s }]', [0, 1, 62, 63]],
    ['until a pause has ended', '[{ A, at: 0s }, { at: 0s, wait: 4s }, { B, at: 3s }]', [0, 4, 3, 4]],
    ['in a group that begins later', '[{ at: 3s, parallel: [{ A, for: 1s }, { B, at: 2s, for: 1s }] }]', [3, 4, 5, 6]],
    ['in groups in groups', '[{ at: 1s, sequence: [{ parallel: [{ A, for: 4s }] }, { B, for: 1s }] }]', [1, 5, 5, 6]],
  ])('a step begins and ends %s', async (_what, steps, times) => {
    const a = 'fault: { proxy: a, type: latency, attributes: { latency: 5 } }'
    const b = 'partition: { groups: [[x], [y]] }'
    const { failure } = await parse(stepsWith(steps.replace('A', a).replace('B', b)))
    expect(failure.steps.flatMap(({ fromMs, untilMs }) => [fromMs / 1000, untilMs / 1000])).toEqual(times)
  })

  test('thresholds and guards follow the environment', async () => {
    const { slo, safety } = await parse(`environment: production\n${minimal}`)
    expect([slo.mttrMs, slo.errorRate, slo.availability, safety.severity]).toEqual([30_000, 0.01, 0.99, 3])
    const other = await parse(minimal)
    expect([other.environment, other.slo.errorRate, other.slo.availability, other.safety.severity]).toEqual([
      'default',
      0.05,
      0.95,
      5,
    ])
  })

  test('where it runs may be said beside it, but not against it', async () => {
    const { slo } = await parseExperiment('checkout.yaml', minimal, { environment: variables, runIn: 'production' })
    expect(slo.errorRate).toBe(0.01)
    const text = `environment: production\n${minimal}`
    const against = parseExperiment('checkout.yaml', text, { environment: variables, runIn: 'development' })
    await expect(against).rejects.toThrow('1:14: environment: expected development, where this is to run')
  })

  test.each<[string, object]>([
    ['promql: { url: "http://p:9090", query: up }, expect: "> 5"', { expect: { value: { op: '>', number: 5 } } }],
    ['promql: { url: "http://p:9090", query: up }, expect: 1', { expect: { value: { op: '==', number: 1 } } }],
    ['sql: { url: "${DB}", query: select 1 }, expect: "<= 7"', { expect: { value: { op: '<=', number: 7 } } }],
    ['sql: { url: "${DB}", query: select 1 }, expect: open', { expect: { equals: 'open' } }],
    ['process: [pgrep, worker]', { argv: ['pgrep', 'worker'] }],
    ['tcp: "localhost:6379", expect: { banner: PONG }', { address: 'localhost:6379', expect: { banner: 'PONG' } }],
    [
      'http: "${TARGET}", expect: { status: [200, 204], jsonPath: { path: $.n, value: "< 3" } }',
      { expect: { status: [200, 204], jsonPath: [{ path: '$.n', value: { op: '<', number: 3 } }] } },
    ],
  ])('a steady state may be %s', async (fields, probe) => {
    const { steadyStates } = await parse(stateWith(fields))
    expect(steadyStates[0]?.probe).toMatchObject(probe)
  })

  test('is the same as JSON', async () => {
    const json = {
      title: 'x',
      steadyState: [{ name: 'a', tcp: 'localhost:1' }],
      phases: { failure: [{ fault: { proxy: 'a', type: 'noop' }, for: '1s' }] },
    }
    expect((await parse(JSON.stringify(json))).failure.forMs).toBe(1000)
  })
})

describe('what is wrong is said with its place', () => {
  test('all mistakes at once', async () => {
    const text = `titel: x
environment: stagin
steadyState:
  - { name: a, htp: "http://a" }
  - name: b
    http: { url: ftp://b, timeout: -5s }
    rate: 20
phases:
  warmup: {}
  baseline: { for: 60 }
  failure:
    - at: -1s
      fault: { proxy: a, type: latncy }
      for: 5s
    - fault: { proxy: a, type: latency, attributes: { latencyMs: 5 } }
      for: 5s
slo: { errorRate: 120%, mttr: soon }
safety: { severity: 9, abortWhen: [{ errorRate: 50% }, { cpu: "> 5s" }] }
`
    expect(await problems(text)).toEqual([
      expect.stringContaining('1:1: title: missing'),
      '1:1: titel: unknown field (did you mean "title"?), expected one of ' +
        '$schema, scenario, title, description, environment, seed, steadyState, metrics, phases, slo, safety, notify',
      expect.stringMatching(/^2:14: environment: expected .* got "stagin" \(did you mean "staging"\?\)$/),
      expect.stringMatching(/^4:16: steadyState\.0\.htp: unknown field \(did you mean "http"\?\)/),
      '6:36: steadyState.1.http.timeout: expected a duration such as 200ms, 60s or 1m30s, got "-5s"',
      '7:11: steadyState.1.rate: expected a rate such as 20/s or 5/m, got 20',
      expect.stringContaining('9:3: phases.warmup: unknown field'),
      '10:20: phases.baseline.for: expected a duration such as 200ms, 60s or 1m30s, got 60',
      '12:11: phases.failure.0.at: expected a duration such as 200ms, 60s or 1m30s, got "-1s"',
      expect.stringContaining(
        '15:55: phases.failure.1.fault.attributes.latencyMs: unknown field (did you mean "latency"?)',
      ),
      '17:19: slo.errorRate: expected a share such as 5% or 0.05, got "120%"',
      '17:31: slo.mttr: expected a duration such as 200ms, 60s or 1m30s, got "soon"',
      '18:21: safety.severity: expected an integer from 1 to 5, got 9',
      '18:49: safety.abortWhen.0.errorRate: expected a comparison such as "> 50%", got "50%"',
      '18:63: safety.abortWhen.1.cpu: expected a comparison such as "> 50%", got "> 5s"',
    ])
  })

  test.each([
    [
      '{ fault: { proxy: a, type: latncy }, for: 1s }',
      'fault.type: unknown fault type "latncy" (did you mean "latency"?)',
    ],
    ['{ fault: { type: latency }, for: 1s }', 'fault.proxy: missing'],
    ['{ fault: { proxy: a, type: http_abort, match: { pth: /x } }, for: 1s }', 'match.pth: unknown field'],
    ['{ fault: { proxy: a, type: noop, ttlMs: 5 }, for: 1s }', 'fault.ttlMs: unknown field'],
    ['{ for: 1s }', '0: missing, expected one of fault, partition'],
    ['{ wait: 1s, load: { http: "${TARGET}", rate: 1/s } }', '0.wait: expected nothing beside load'],
    ['{ fault: { proxy: a, type: noop } }', '0.for: missing, expected a duration, as nothing else says'],
    ['{ fault: { proxy: a, type: noop }, for: 31m }', '0.for: expected a duration of at most 30m, safety.maxDuration'],
    ['{ fault: { proxy: a, type: noop }, for: 1s, ramp: 2s }', '0.ramp: expected a duration of at most 1s'],
    [
      '{ fault: { proxy: a, type: latency, attributes: { latency: 9 } }, for: 1s, rampFrom: { probability: 0 } }',
      'rampFrom: expected nothing without ramp',
    ],
    [
      '{ fault: { proxy: a, type: bandwidth, attributes: { rate: 9 } }, for: 1s, ramp: 1s, rampFrom: { attributes: { rat: 1 } } }',
      'rampFrom.attributes.rat: expected an attribute',
    ],
    ['{ stress: { kind: cpuu }, for: 1s }', 'stress.kind: expected one of cpu'],
    ['{ stress: { kind: cpu, laod: 5 }, for: 1s }', 'stress.laod: unknown field (did you mean "load"?)'],
    ['{ stress: { kind: cpu, load: 50 }, for: 20m }', '0.for: expected an integer from 1 to 900000'],
    ['{ process: { name: x, action: hangs }, for: 1s }', 'process.action: expected'],
    ['{ process: { name: x, command: y, action: hang }, for: 1s }', 'process.name: expected nothing beside command'],
    ['{ partition: { groups: [[a]] }, for: 1s }', 'partition.groups'],
    ['{ partition: { shape: halves }, for: 1s }', 'partition.services: missing'],
    ['{ partition: { groups: [[a], [b]] }, for: 1s, ramp: 1s }', '0.ramp: expected nothing with partition'],
    [
      '{ sequence: [{ at: 1s, fault: { proxy: a, type: noop }, for: 1s }] }',
      'sequence.0.at: expected nothing in a sequence',
    ],
    [
      '{ parallel: [{ fault: { proxy: a, type: noop }, for: 1s }], for: 1s }',
      '0.for: expected nothing beside parallel',
    ],
    [
      '{ fault: { proxy: a, type: noop }, at: 0s }, { fault: { proxy: b, type: noop }, for: 1s }',
      '1.at: missing, expected a time',
    ],
    ['{ load: { http: "${TARGET}" }, for: 1s }', 'load.rate: missing'],
    ['{ load: { http: "${TARGET}", rate: 5/s }, for: 1s, ramp: 1s }', '0.ramp: expected nothing with load, which has'],
    ['{ load: { http: "${TARGET}", rate: 5/s, ramp: 2s }, for: 1s }', 'load.ramp: expected a duration of at most 1s'],
    ['{ load: { http: "${TARGET}", rate: 5/s, rampFrom: 1/s }, for: 1s }', 'load.rampFrom: expected nothing without'],
    ['{ load: { http: "${TARGET}", rate: 5/s, ramp: 1s, rampFrom: 0/s }, for: 1s }', 'load.rampFrom: expected a rate'],
  ])('a step %s', async (step, message) => {
    expect(await problems(stepsWith(`[${step}]`))).toEqual([expect.stringContaining(message)])
  })

  test.each([
    ['http: "${TARGET}", tcp: "a:1"', 'tcp: expected nothing beside http'],
    ['rate: 1/s', 'steadyState.0: missing, expected one of http, tcp'],
    ['http: "localhost:8080"', 'steadyState.0.http: expected'],
    ['http: { url: "${TARGET}", method: "G T" }', 'steadyState.0.http.method: expected'],
    ['http: "${TARGET}", expect: { status: 99 }', 'expect.status: expected a status'],
    ['http: "${TARGET}", expect: { statsu: 200 }', 'expect.statsu: unknown field (did you mean "status"?)'],
    ['http: "${TARGET}", expect: { jsonPath: { path: "$[" } }', 'expect.jsonPath.path: expected a JSON path'],
    ['http: "${TARGET}", expect: { p95: "< 800" }', 'expect.p95: expected a comparison such as "< 800ms"'],
    ['http: "${TARGET}", expect: 200', 'expect: expected an object'],
    ['http: "${TARGET}", at: [validation], expect: { p95: "< 1s" }', 'expect.p95: expected nothing of all attempts'],
    ['http: "${TARGET}", at: [bseline]', 'at.0: expected'],
    ['http: "${TARGET}", rate: 0/s', 'rate: expected a rate above 0'],
    ['tcp: "localhost"', 'steadyState.0.tcp: expected'],
    ['sql: { url: "mysql://x", query: q }', 'sql.url: expected a URL that begins with postgres://'],
    ['process: []', 'steadyState.0.process: expected'],
    ['promql: { url: "http://p", query: up }, expect: five', 'expect: expected a comparison'],
    ['http: "${NONE}"', 'expected the environment variable NONE to be set'],
    ['http: "${TARGET}", settle: 5s', 'settle: expected nothing without'],
  ])('a steady state by %s', async (fields, message) => {
    expect(await problems(stateWith(fields))).toEqual([expect.stringContaining(message)])
  })

  test.each([
    ['notify: [{ url: "ftp://h" }]', 'notify.0.url: expected a URL that begins with http:// or https://'],
    ['notify: [{ url: "http://h", on: [ended] }]', 'notify.0.on.0: expected "started" or "phase"'],
    ['notify: [{ url: "http://h", no: [] }]', 'notify.0.no: unknown field (did you mean "on"?)'],
    ['environment: production\nsafety: { rollback: false }', 'safety.rollback: expected true in production, got false'],
    ['safety: { keepFor: 1m }', 'safety.keepFor: expected nothing without rollback: false'],
    ['safety: { maxDuration: 10s }', 'phases: expected phases that take at most 10s'],
    ['safety: { severity: 2 }', 'fault: expected a step of severity 2 at most, safety.severity, got 3'],
    ['safety: { blastRadiusByType: { latncy: 5% } }', 'blastRadiusByType.latncy: expected one of'],
    ['safety: { abortWhen: [{ over: 5s }] }', 'abortWhen.0: missing, expected one of errorRate'],
    ['safety: { abortWhen: [{ cpu: "> 5%", atLeast: 3 }] }', 'abortWhen.0.atLeast: expected nothing with cpu'],
    ['safety: { abortWhen: [{ cpu: "> 5%", memory: "> 5%" }] }', 'abortWhen.0.memory: expected nothing beside cpu'],
  ])('limits: %s', async (line, message) => {
    const steps = '[{ fault: { proxy: a, type: latency, attributes: { latency: 1000 } }, for: 5s }]'
    expect(await problems(`${line}\n${stepsWith(steps)}`)).toEqual([expect.stringContaining(message)])
  })

  test.each([
    ['name: a', 'metrics.0: missing, expected one of promql, http'],
    ['name: a, http: "${TARGET}"', 'metrics.0.jsonPath: missing, expected the path of a number'],
    ['name: a, http: "${TARGET}", jsonPath: "$["', 'metrics.0.jsonPath: expected a JSON path'],
    ['name: a, http: "localhost", jsonPath: $.a', 'metrics.0.http: expected a URL'],
    ['name: a, http: { url: "${TARGET}", timeout: 1x }, jsonPath: $.a', 'metrics.0.http.timeout: expected a duration'],
    ['name: a, promql: { url: "${TARGET}", query: up }, jsonPath: $.a', 'metrics.0.jsonPath: expected nothing beside'],
    ['name: a, promql: { url: "${TARGET}", query: " " }', 'metrics.0.promql.query: expected a PromQL query'],
    ['name: a, promql: { url: "${TARGET}", query: up }, every: 10ms', 'every: expected a duration of at least 100ms'],
    ['name: a, promql: { url: "${TARGET}", query: up } }, { name: a, http: "${TARGET}", jsonPath: $', 'metrics.1.name'],
  ])('metrics: %s', async (fields, message) => {
    expect(await problems(`metrics: [{ ${fields} }]\n${minimal}`)).toEqual([expect.stringContaining(message)])
  })

  test.each([
    ['metric: depht, value: "> 5"', 'abortWhen.0.metric: expected one of depth, got "depht" (did you mean "depth"?)'],
    ['metric: depth', 'abortWhen.0.value: missing, expected a comparison'],
    ['cpu: "> 5%", value: "> 5"', 'abortWhen.0.value: expected nothing without metric'],
    ['cpu: "> 5%", metric: depth', 'abortWhen.0.metric: expected nothing beside cpu'],
    ['metric: depth, value: "> 5", atLeast: 3', 'abortWhen.0.atLeast: expected nothing with metric'],
  ])('limits of metrics: %s', async (condition, message) => {
    const metrics = 'metrics: [{ name: depth, http: "${TARGET}", jsonPath: $.depth }]'
    const text = `${metrics}\nsafety: { abortWhen: [{ ${condition} }] }\n${minimal}`
    expect(await problems(text)).toEqual([expect.stringContaining(message)])
  })

  test('a check of validation that has nothing to look at', async () => {
    const text = minimal.replace('phases:', 'phases:\n  validation: { steps: [data_consistency_check] }')
    expect(await problems(text)).toEqual([
      expect.stringContaining('validation.steps.0: expected a step that has something'),
    ])
  })

  test('syntax', async () => {
    expect(await problems('title: [')).toEqual([expect.stringMatching(/^1:9: expected YAML/)])
    expect(await problems('5')).toEqual([expect.stringContaining('1:1:')])
  })
})
