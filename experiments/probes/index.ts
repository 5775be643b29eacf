// Probes: `createProbe` makes one of plain data; what an answer has to be like is part of the data.
export { createProbe } from './create.ts'
export {
  comparisonOperators,
  type Comparison,
  type ComparisonOperator,
  type JsonPathExpectation,
  type TextExpectation,
} from './expectations.ts'
export type { HttpExpectation, HttpProbeSpec } from './http.ts'
export type { TlsOptions } from './http-connections.ts'
export { compileJsonPath, type JsonPath } from './json-path.ts'
export {
  DEFAULT_TIMEOUT_MS,
  MAX_ANSWER_BYTES,
  type Observed,
  type Probe,
  type ProbeAnswer,
  type ProbeSpec,
} from './probe.ts'
export type { ProcessExpectation, ProcessProbeSpec } from './process.ts'
export type { PromqlProbeSpec } from './promql.ts'
export type { SqlExpectation, SqlProbeSpec } from './sql.ts'
export type { TcpProbeSpec } from './tcp.ts'
