// The configuration's JSON Schema, as editors use it: it agrees with what the server takes.
import { Ajv, type ValidateFunction } from 'ajv'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { configJsonSchema } from '../../admin/config/json-schema.ts'
import { parseConfig } from '../../admin/config/load.ts'
import { faultTypes } from '../../proxy/index.ts'

let accepts: ValidateFunction
beforeAll(() => {
  // Not strict: it knows no `writeOnly` and the like, which are for readers.
  accepts = new Ajv({ allErrors: true, strict: false }).compile(configJsonSchema())
})

/** As an editor sees it: variables are not filled in. */
function editorAccepts(text: string): boolean {
  return accepts(parse(text, { logLevel: 'silent' }))
}

function serverAccepts(text: string): Promise<boolean> {
  return parseConfig('faultline.yaml', text, { environment: { SEED: '5', SHARE: '0.5', UNIT: 'upstream' } }).then(
    () => true,
    () => false,
  )
}

const design = `
seed: 7
admin: { listen: 127.0.0.1:8474, token: "\${FAULTLINE_TOKEN:-}" }
proxies:
  payments:
    listen: 0.0.0.0:9001
    upstream: payments:8080
    protocol: http
    from: checkout
    to: payments
    faults:
      - { type: http_abort, match: { method: POST, path: /v1/charges* }, probability: 0.05, attributes: { status: 503 } }
  orders-db:
    listen: 0.0.0.0:6432
    upstream: db:5432
    protocol: postgres
    faults:
      - { type: latency, direction: downstream, attributes: { latency: 80, jitter: 20 } }
`

const proxy = (fields: string): string => `proxies: { a: { upstream: "x:1", ${fields} } }`
const fault = (fields: string, protocol = 'tcp'): string => proxy(`protocol: ${protocol}, faults: [{ ${fields} }]`)

describe('what server and schema both take', () => {
  test.each([
    design,
    'proxies: {}',
    '$schema: ./faultline.schema.json',
    'seed: ${SEED}',
    'admin: { tokens: { ci: secret }, allowedHosts: [a.example.com], maxTtlMs: 5, auditLog: "-" }',
    proxy('enabled: false'),
    proxy('protocol: http, strict: true'),
    // Not between braces, where only the server understands a variable without quotes.
    'proxies:\n  a:\n    upstream: x:1\n    protocol: http\n    strict: ${NONE:-false}',
    proxy('protocol: udp, idleTimeoutMs: 5'),
    proxy('protocol: postgres, tls: terminate'),
    fault('type: noop'),
    fault('type: latency, direction: "${UNIT}", skip: 1, times: 2, every: 3, ttlMs: 4, enabled: false'),
    'proxies:\n  a:\n    upstream: x:1\n    faults:\n      - type: latency\n        probability: ${SHARE}',
    fault('type: max_connections, attributes: { connections: 5 }'),
    fault('type: latency, match: { clientAddress: [10.0.0.0/8] }'),
    fault('type: drop, attributes: { rate: 0.5 }', 'udp'),
    fault('type: http_delay, attributes: { delayMs: 5 }, match: { path: { glob: /a* } }', 'http'),
    fault('type: pg_error, attributes: { code: "40001" }, match: { statement: [commit] }', 'postgres'),
  ])('%s', async (text) => {
    expect([await serverAccepts(text), editorAccepts(text)]).toEqual([true, true])
    expect(accepts.errors).toBeNull()
  })
})

describe('what both refuse', () => {
  test.each([
    'proxis: {}',
    'seed: 1.5',
    'admin: { listen: 5 }',
    'admin: { tokn: x }',
    'proxies: []',
    'proxies: { a: {} }',
    proxy('listn: "x:1"'),
    proxy('protocol: htp'),
    proxy('enabled: 1'),
    proxy('strict: true'),
    proxy('protocol: http, tls: terminate'),
    proxy('protocol: udp, maxSessions: 0'),
    fault('name: a'),
    fault('type: latenc'),
    fault('type: latency, probability: 2'),
    fault('type: latency, attributes: { latencyMs: 5 }'),
    fault('type: latency, attributes: { latency: fast }'),
    fault('type: latency, match: { path: / }'),
    fault('type: latency, tlMs: 5'),
    fault('type: max_connections'),
    fault('type: max_connections, attributes: {}'),
    fault('type: drop'),
    fault('type: slicer', 'udp'),
    fault('type: http_abort'),
    fault('type: http_abort, attributes: { status: 5 }', 'http'),
    fault('type: pg_error, attributes: { code: "40001" }, match: { path: / }', 'postgres'),
  ])('%s', async (text) => {
    expect([await serverAccepts(text), editorAccepts(text)]).toEqual([false, false])
  })
})

test('every type of fault is in it, described', () => {
  const definitions = configJsonSchema()['definitions'] as Record<string, { description?: string }>
  for (const type of faultTypes('tcp')) expect(definitions[`fault_${type}`]?.description).toBeTruthy()
  for (const type of faultTypes('udp')) expect(definitions[`udp_fault_${type}`]?.description).toBeTruthy()
})
