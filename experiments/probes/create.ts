// Makes probes from plain data. A new kind is a file, a line in ProbeSpec, and a line here.
import { systemClock, type Clock } from '../../proxy/clock.ts'
import { createHttpProbe } from './http.ts'
import { invalidField } from './invalid.ts'
import type { Probe, ProbeSpec } from './probe.ts'
import { createProcessProbe } from './process.ts'
import { createPromqlProbe } from './promql.ts'
import { createSqlProbe } from './sql.ts'
import { createTcpProbe } from './tcp.ts'

/**
 * Makes a probe; touches nothing until it runs. Close it in the end.
 *
 * ```ts
 * await using probe = createProbe({ kind: 'http', name: 'health', url: 'http://localhost:8080/health', timeoutMs: 2000 })
 * const { good, reason } = await probe.run(signal)
 * ```
 *
 * @param clock for timeouts
 * @throws FaultlineError `invalid_value` or `invalid_address` naming the field that can't work
 */
export function createProbe(spec: ProbeSpec, clock: Clock = systemClock): Probe {
  switch (spec.kind) {
    case 'http':
      return createHttpProbe(spec, clock)
    case 'tcp':
      return createTcpProbe(spec, clock)
    case 'process':
      return createProcessProbe(spec, clock)
    case 'sql':
      return createSqlProbe(spec, clock)
    case 'promql':
      return createPromqlProbe(spec, clock)
    default:
      throw invalidField('kind', 'one of http, tcp, process, sql, promql', (spec as { kind?: unknown }).kind)
  }
}
