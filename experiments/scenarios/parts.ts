// What scenarios of the library have in common: a service that is asked, times that can be set, and steps.
import type { Fields } from '../../admin/config/mistakes.ts'
import type { Parameter } from './parameters.ts'
import { Scenario, type ScenarioDocument } from './scenario.ts'

const target: Parameter = { description: 'The URL of the service that has to stay well, asked by GET.' }

/** In all of them. */
const common: Readonly<Record<string, Parameter>> = {
  TARGET: target,
  RATE: { description: 'How often the service is asked.', type: 'rate', default: '10/s', maximum: '1000/s' },
  BASELINE: { description: 'How long it is watched before.', type: 'duration', default: '15s', maximum: '1h' },
  RECOVERY: { description: 'How long recovery may take.', type: 'duration', default: '30s', maximum: '1h' },
}

/** In those that have no other limit of it. Its default is that of every environment. */
const degradation: Readonly<Record<string, Parameter>> = {
  DEGRADATION: { description: 'How much longer p95 may become.', type: 'duration', default: '500ms' },
}

/** The proxy that a fault is on. */
export const proxyParameters: Readonly<Record<string, Parameter>> = {
  PROXY: { description: 'The name of the proxy that the fault is on.' },
  BLAST_RADIUS: {
    description: "The share of the target's proxies that may be touched.",
    type: 'share',
    default: '30%',
  },
}

export function duration(usual: string, maximum = '1h'): Parameter {
  return { description: 'How long it acts.', type: 'duration', default: usual, minimum: '100ms', maximum }
}

/** Of a stressor, which lasts no longer. */
export function stressDuration(usual: string): Parameter {
  return duration(usual, '15m')
}

export function integer(description: string, usual: number, minimum: number, maximum: number): Parameter {
  return { description, type: 'integer', default: usual, minimum, maximum }
}

export function share(description: string, usual: string): Parameter {
  return { description, type: 'share', default: usual }
}

export function text(description: string, usual?: string): Parameter {
  return { description, ...(usual !== undefined && { default: usual }) }
}

export interface Definition extends Omit<ScenarioDocument['scenario'], 'parameters'> {
  readonly title: string
  readonly description: string
  /** Beside those that all have. */
  readonly parameters: Readonly<Record<string, Parameter>>
  readonly steps: readonly Fields[]
  /** What the service is expected to keep, in place of an answer from 200 to 299 alone. */
  readonly expect?: Fields
  /** Of the steady state. */
  readonly settle?: string
  readonly slo?: Fields
}

export function defineScenario(definition: Definition): Scenario {
  const { title, description, parameters, steps, expect, settle, slo, ...scenario } = definition
  const isOnProxies = Object.hasOwn(parameters, 'BLAST_RADIUS')
  const isLimited = slo !== undefined && Object.hasOwn(slo, 'latencyDegradation')
  return Scenario.fromDocument({
    title,
    description,
    scenario: { ...scenario, parameters: { ...common, ...(!isLimited && degradation), ...parameters } },
    steadyState: [
      {
        name: 'service answers',
        http: { url: '${TARGET}', timeout: '5s' },
        rate: '${RATE}',
        ...(expect && { expect }),
        ...(settle !== undefined && { settle }),
      },
    ],
    phases: {
      baseline: { for: '${BASELINE}' },
      failure: steps,
      recovery: { atMost: '${RECOVERY}' },
      validation: { steps: ['service_health_check'] },
    },
    slo: { ...(!isLimited && { latencyDegradation: '${DEGRADATION}' }), ...slo },
    safety: { maxDuration: '4h', ...(isOnProxies && { blastRadius: '${BLAST_RADIUS}' }) },
  })
}

/** A fault on the proxy that is a parameter, for as long as the parameter says. */
export function faultStep(type: string, more: Fields = {}): Fields {
  return { fault: { proxy: '${PROXY}', type, ...more }, for: '${DURATION}' }
}
