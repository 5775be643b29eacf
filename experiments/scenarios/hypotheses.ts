// Three hypotheses that are ready to be tried.
import { defineScenario, duration, faultStep, integer, proxyParameters } from './parts.ts'

const asNumber = (description: string, usual: string) =>
  ({ description, type: 'number', default: usual, minimum: 0, maximum: 1 }) as const

export const hypotheses = [
  defineScenario({
    name: 'latency-stays-bearable',
    title: 'With 200 ms more from a dependency, p95 stays below 800 ms',
    description: 'Timeouts, pools and retries are right if a slow dependency makes the service only as slow as itself.',
    category: 'hypothesis',
    complexity: 'intermediate',
    severity: 'medium',
    parameters: {
      ...proxyParameters,
      DURATION: duration('10m'),
      LATENCY: integer('How much later the dependency answers, in milliseconds.', 200, 0, 600_000),
      P95: { description: 'What p95 has to stay below.', type: 'duration', default: '800ms' },
    },
    steps: [faultStep('latency', { attributes: { latency: '${LATENCY}' } })],
    expect: { p95: '< ${P95}' },
    slo: { latencyDegradation: '${P95}' },
  }),

  defineScenario({
    name: 'errors-are-retried',
    title: 'With 5 % of 503 from a dependency, 99 % of users still succeed',
    description: 'Retries are right if users hardly see that a dependency fails now and then.',
    category: 'hypothesis',
    complexity: 'intermediate',
    severity: 'light',
    parameters: {
      ...proxyParameters,
      DURATION: duration('5m'),
      SHARE: asNumber('The share of requests that fail, as a number.', '0.05'),
      SUCCESS: { description: 'What share of users has to succeed.', type: 'share', default: '99%' },
    },
    steps: [faultStep('http_abort', { probability: '${SHARE}', attributes: { status: 503 } })],
    expect: { availability: '>= ${SUCCESS}' },
  }),

  defineScenario({
    name: 'breaker-opens',
    title: 'With 40 % errors from a dependency, the breaker opens and errors fall within a minute',
    description: 'A circuit breaker with a fallback is right if users see errors only until it has opened.',
    category: 'hypothesis',
    complexity: 'advanced',
    severity: 'heavy',
    parameters: {
      ...proxyParameters,
      DURATION: duration('2m'),
      SHARE: asNumber('The share of requests that fail, as a number.', '0.4'),
      WITHIN: { description: 'From then on errors have to be few.', type: 'duration', default: '1m' },
      ERRORS: { description: 'What few are.', type: 'share', default: '5%' },
      ERRORS_BEFORE: { description: 'Of all users, with those before it has opened.', type: 'share', default: '50%' },
      AVAILABILITY: { description: 'The same, for those who succeed.', type: 'share', default: '50%' },
    },
    steps: [faultStep('http_abort', { probability: '${SHARE}', attributes: { status: 503 } })],
    expect: { errorRate: '<= ${ERRORS}' },
    settle: '${WITHIN}',
    slo: { errorRate: '${ERRORS_BEFORE}', availability: '${AVAILABILITY}', mttr: '${WITHIN}' },
  }),
]
