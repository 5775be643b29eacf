// Texts of experiment files.

export const DESIGN = `
title: Checkout survives a slow payment service
environment: staging
steadyState:
  - { name: checkout answers, http: { url: "\${TARGET}/checkout/health", timeout: 2s }, expect: { status: 200, p95: < 800ms }, rate: 20/s }
  - { name: orders are consistent, sql: { url: "\${DB}", query: "select count(*) from orders o left join lines l using (id) where l.id is null" }, expect: 0, at: [baseline, validation] }
phases:
  preparation: {}
  baseline: { for: 60s }
  stress: { load: { http: "\${TARGET}/checkout", rate: 50/s }, for: 30s }
  failure:
    - { at: 0s, fault: { proxy: payments, type: latency, attributes: { latency: 200 } }, for: 60s, ramp: 20s }
    - { at: 30s, parallel: [ { stress: { kind: cpu, load: 70 }, for: 20s }, { process: { name: worker, action: hang }, for: 10s } ] }
  recovery: { atMost: 30s }
  validation: { attempts: 3, steps: [service_health_check, data_consistency_check, performance_baseline_check] }
slo: { mttr: 30s, errorRate: 5%, availability: 95%, latencyDegradation: 500ms, recoveryTime: 10s }
safety: { maxDuration: 5m, blastRadius: 0.3, severity: 3, abortWhen: [ { errorRate: "> 50%" }, { cpu: "> 90%" }, { memory: "> 85%" }, { responseTime: "> 5s" } ] }
`

const state = 'http: "http://localhost:8080"'
const step = '[{ fault: { proxy: a, type: noop }, for: 1s }]'

function text(fields: string, steps: string): string {
  return `title: x
steadyState:
  - { name: a, ${fields} }
phases:
  failure: ${steps}
`
}

export const minimal = text(state, step)

/** With a steady state of these fields. */
export function stateWith(fields: string): string {
  return text(fields, step)
}

/** With these steps, an array. */
export function stepsWith(steps: string): string {
  return text(state, steps)
}
