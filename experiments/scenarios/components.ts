// Components that crash, hang, leak or run out of something, and databases in trouble.
import { defineScenario, duration, faultStep, integer, proxyParameters, share, stressDuration, text } from './parts.ts'

const processName = text('The name of the program, as the system has it; exactly one process may have it.')

export const components = [
  defineScenario({
    name: 'component-crash',
    title: 'Component Crash',
    description: 'A process is killed, and its users are watched.',
    category: 'component',
    complexity: 'basic',
    severity: 'heavy',
    parameters: { PROCESS: processName, DURATION: stressDuration('30s') },
    steps: [{ process: { name: '${PROCESS}', action: 'kill' }, for: '${DURATION}' }],
  }),

  defineScenario({
    name: 'component-hang',
    title: 'Component Hang',
    description: 'A process stops, as if it hung, and goes on in the end.',
    category: 'component',
    complexity: 'basic',
    severity: 'medium',
    parameters: { PROCESS: processName, DURATION: stressDuration('15s') },
    steps: [{ process: { name: '${PROCESS}', action: 'hang' }, for: '${DURATION}' }],
  }),

  defineScenario({
    name: 'memory-leak',
    title: 'Memory Leak',
    description: "Memory of the target's machine gets less and less, as if something leaked.",
    category: 'resource',
    complexity: 'basic',
    severity: 'medium',
    parameters: {
      DURATION: stressDuration('60s'),
      LEAK: integer('Bytes a second.', 8 * 2 ** 20, 1, 2 ** 40),
      BYTES: integer('At most so many bytes in all.', 512 * 2 ** 20, 1, 2 ** 40),
    },
    steps: [{ stress: { kind: 'memory', leakBytesPerSecond: '${LEAK}', bytes: '${BYTES}' }, for: '${DURATION}' }],
  }),

  defineScenario({
    name: 'connection-exhaustion',
    title: 'Connection Exhaustion',
    description: 'Idle connections take what a server or a load balancer has of them.',
    category: 'resource',
    complexity: 'intermediate',
    severity: 'heavy',
    parameters: {
      DURATION: stressDuration('30s'),
      ADDRESS: text('host:port that they are made to.'),
      COUNT: integer('How many.', 1000, 1, 1_000_000),
    },
    steps: [{ stress: { kind: 'connections', target: '${ADDRESS}', count: '${COUNT}' }, for: '${DURATION}' }],
  }),

  defineScenario({
    name: 'disk-full',
    title: 'Disk Full',
    description: "The target's disk fills up, to the floor that always stays free.",
    category: 'resource',
    complexity: 'basic',
    severity: 'heavy',
    parameters: {
      DURATION: stressDuration('30s'),
      PATH: text('A folder on the disk that is meant, as an absolute path.', '/var/tmp'),
      LEAVE_FREE: integer('So many bytes stay free.', 2 ** 30, 1, 2 ** 50),
    },
    steps: [{ stress: { kind: 'disk-fill', path: '${PATH}', leaveFreeBytes: '${LEAVE_FREE}' }, for: '${DURATION}' }],
  }),

  defineScenario({
    name: 'failover-to-read-only-replica',
    title: 'Failover to a Read-Only Replica',
    description: 'Every write is refused, as by a replica that a client has been moved to.',
    category: 'database',
    complexity: 'advanced',
    severity: 'heavy',
    parameters: { ...proxyParameters, DURATION: duration('30s') },
    steps: [
      { parallel: [faultStep('pg_read_only'), faultStep('pg_terminate', { times: 1, attributes: { code: '57P01' } })] },
    ],
  }),

  defineScenario({
    name: 'serialization-storm',
    title: 'Serialization Storm',
    description: 'Many transactions fail with 40001 when they are committed: do clients try again, and how often?',
    category: 'database',
    complexity: 'advanced',
    severity: 'medium',
    parameters: {
      ...proxyParameters,
      DURATION: duration('30s'),
      SHARE: {
        ...share('The share of commits that fail, as a number.', '0.3'),
        type: 'number',
        minimum: 0,
        maximum: 1,
      },
    },
    steps: [faultStep('pg_error', { probability: '${SHARE}', attributes: { code: '40001', at: 'commit' } })],
  }),
]
