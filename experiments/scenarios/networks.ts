// Partitions of each shape, and dependencies that are slow, stall or take others with them.
import type { Fields } from '../../admin/config/mistakes.ts'
import type { Parameter } from './parameters.ts'
import { defineScenario, duration, faultStep, integer, proxyParameters, share, text } from './parts.ts'

const LETTERS = ['A', 'B', 'C', 'D', 'E'] as const

const { BLAST_RADIUS } = proxyParameters

/** Services as the proxies name them, by `from` and `to`. */
function services(count: number): Readonly<Record<string, Parameter>> {
  const names = LETTERS.slice(0, count)
  return Object.fromEntries(names.map((letter) => [`SERVICE_${letter}`, text('A service, as proxies name it.')]))
}

function partition(shape: string, count: number, title: string, description: string, more: Fields = {}) {
  const names = LETTERS.slice(0, count).map((letter) => `\${SERVICE_${letter}}`)
  const cut = shape === 'oneWay' ? { groups: names.map((name) => [name]), oneWay: true } : { shape, services: names }
  return defineScenario({
    name: `network-partition-${shape.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
    title: `Network Partition, ${title}`,
    description,
    category: 'network',
    complexity: 'advanced',
    severity: 'heavy',
    parameters: {
      ...services(count),
      ...(BLAST_RADIUS && { BLAST_RADIUS }),
      DURATION: duration('30s'),
      MODE: text('drop: as if a cable were cut. reject: as by a firewall that refuses.', 'drop'),
    },
    steps: [{ partition: { ...cut, mode: '${MODE}' }, for: '${DURATION}' }],
    ...more,
  })
}

export const networks = [
  partition('isolate', 3, 'one apart', 'Service A and the two others do not hear each other.'),
  partition('halves', 2, 'two halves', 'Two services do not hear each other.'),
  partition('bridge', 3, 'bridge', 'A and C do not hear each other; B hears both.'),
  partition('majoritiesRing', 5, 'ring of majorities', 'Each of five services hears a majority, no two the same one.'),
  partition('oneWay', 2, 'one way', 'What A says, B does not hear; A hears B.'),

  defineScenario({
    name: 'slow-response',
    title: 'Slow Response',
    description: 'A dependency answers, but late: its answers get slower for a third of the time.',
    category: 'dependency',
    complexity: 'basic',
    severity: 'medium',
    parameters: {
      ...proxyParameters,
      DURATION: duration('60s'),
      RAMP: { ...duration('20s'), description: 'How long it gets slower.' },
      DELAY: integer('How late answers come in the end, in milliseconds.', 1000, 0, 600_000),
    },
    steps: [{ ...faultStep('latency', { attributes: { latency: '${DELAY}' } }), ramp: '${RAMP}' }],
  }),

  defineScenario({
    name: 'dependency-cascade',
    title: 'Dependency Cascade',
    description: 'One dependency gets slow, then refuses, and then a second one gets slow, too.',
    category: 'dependency',
    complexity: 'advanced',
    severity: 'heavy',
    parameters: {
      ...proxyParameters,
      PROXY_2: text('The name of the proxy to the second dependency.'),
      DURATION: { ...duration('20s'), description: 'How long each stage takes.' },
      DELAY: integer('How slow, in milliseconds.', 1000, 0, 600_000),
    },
    steps: [
      faultStep('latency', { attributes: { latency: '${DELAY}' } }),
      {
        parallel: [
          faultStep('refuse'),
          faultStep('reset_peer'),
          {
            fault: { proxy: '${PROXY_2}', type: 'latency', attributes: { latency: '${DELAY}' } },
            for: '${DURATION}',
          },
        ],
      },
    ],
  }),

  defineScenario({
    name: 'data-pipeline-stall',
    title: 'Data Pipeline Stall',
    description: 'Data stops on its way: connections stay open, and nothing comes any more.',
    category: 'dependency',
    complexity: 'intermediate',
    severity: 'heavy',
    parameters: { ...proxyParameters, DURATION: duration('30s') },
    steps: [faultStep('stall', { direction: 'both' })],
  }),

  defineScenario({
    name: 'retry-storm',
    title: 'Retry Storm',
    description: 'A dependency answers 503 to many requests while load comes in: do retries make it worse?',
    category: 'dependency',
    complexity: 'advanced',
    severity: 'heavy',
    parameters: {
      ...proxyParameters,
      DURATION: duration('60s'),
      SHARE: {
        ...share('The share of requests that fail, as a number.', '0.5'),
        type: 'number',
        minimum: 0,
        maximum: 1,
      },
      LOAD: {
        description: 'Requests that are made beside the probes.',
        type: 'rate',
        default: '50/s',
        maximum: '5000/s',
      },
    },
    steps: [
      {
        parallel: [
          faultStep('http_abort', { probability: '${SHARE}', attributes: { status: 503 } }),
          { load: { http: { url: '${TARGET}', timeout: '5s' }, rate: '${LOAD}' }, for: '${DURATION}' },
        ],
      },
    ],
  }),
]
