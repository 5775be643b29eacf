// The nineteen classics: pressure on a machine, a bad network, things that go away.
import { defineScenario, duration, faultStep, integer, proxyParameters, share, stressDuration, text } from './parts.ts'

type Severity = 'light' | 'medium' | 'heavy'

const MIB = 2 ** 20

function titleOf(severity: Severity, what: string): { readonly name: string; readonly title: string } {
  const title = `${severity.charAt(0).toUpperCase()}${severity.slice(1)} ${what}`
  return { title, name: title.toLowerCase().replace('i/o', 'io').replaceAll(' ', '-') }
}

function cpuStress(severity: Severity, workers: number, seconds: number) {
  return defineScenario({
    ...titleOf(severity, 'CPU Stress'),
    description: `${workers} workers compute on the target's machine for ${seconds} s.`,
    category: 'resource',
    complexity: 'basic',
    severity,
    parameters: {
      DURATION: stressDuration(`${seconds}s`),
      WORKERS: integer('How many compute, at most four a core.', workers, 1, 256),
      LOAD: integer('Percent of a core, of each.', 100, 1, 100),
    },
    steps: [{ stress: { kind: 'cpu', workers: '${WORKERS}', load: '${LOAD}' }, for: '${DURATION}' }],
  })
}

function memoryStress(severity: Severity, mebibytes: number, seconds: number) {
  return defineScenario({
    ...titleOf(severity, 'Memory Stress'),
    description: `${mebibytes} MiB of the target's machine are taken for ${seconds} s.`,
    category: 'resource',
    complexity: 'basic',
    severity,
    parameters: {
      DURATION: stressDuration(`${seconds}s`),
      BYTES: integer('How much is taken.', mebibytes * MIB, MIB, 2 ** 40),
    },
    steps: [{ stress: { kind: 'memory', bytes: '${BYTES}' }, for: '${DURATION}' }],
  })
}

function diskStress(severity: Severity, workers: number, seconds: number) {
  return defineScenario({
    ...titleOf(severity, 'Disk I/O Stress'),
    description: `${workers === 1 ? 'One worker writes' : `${workers} workers write`} to the target's disk for ${seconds} s.`,
    category: 'resource',
    complexity: 'basic',
    severity,
    parameters: {
      DURATION: stressDuration(`${seconds}s`),
      WORKERS: integer('How many writes are under way at a time.', workers, 1, 16),
      BYTES_PER_SECOND: integer('The rate of all together.', workers * 20_000_000, 65_536, 2 ** 40),
      PATH: text('A folder on the disk that is meant, as an absolute path.', '/var/tmp'),
    },
    steps: [
      {
        stress: {
          kind: 'disk-io',
          path: '${PATH}',
          bytesPerSecond: '${BYTES_PER_SECOND}',
          workers: '${WORKERS}',
        },
        for: '${DURATION}',
      },
    ],
  })
}

function networkLatency(severity: Severity, latencyMs: number, seconds: number) {
  return defineScenario({
    ...titleOf(severity, 'Network Latency'),
    description: `Everything that comes through a proxy comes ${latencyMs} ms later, for ${seconds} s.`,
    category: 'network',
    complexity: 'basic',
    severity,
    parameters: {
      ...proxyParameters,
      DURATION: duration(`${seconds}s`),
      LATENCY: integer('Delay in milliseconds.', latencyMs, 0, 600_000),
      JITTER: integer('Largest deviation from it, in milliseconds.', 0, 0, 600_000),
    },
    steps: [faultStep('latency', { attributes: { latency: '${LATENCY}', jitter: '${JITTER}' } })],
  })
}

function packetLoss(severity: Severity, percent: number, seconds: number, suffix = '') {
  const { name, title } = titleOf(severity, 'Packet Loss')
  return defineScenario({
    name: suffix === '' ? name : `${name}-${suffix}`,
    title: suffix === '' ? title : `${title}, ${suffix}`,
    description: `${percent} % of the packets between the clients and a proxy are lost, for ${seconds} s.`,
    category: 'network',
    complexity: 'basic',
    severity,
    parameters: {
      ...proxyParameters,
      DURATION: duration(`${seconds}s`),
      LOSS: {
        ...share('The share of packets, as a number.', String(percent / 100)),
        type: 'number',
        minimum: 0,
        maximum: 1,
      },
    },
    steps: [faultStep('packet_loss', { direction: 'both', attributes: { loss: '${LOSS}' } })],
  })
}

const containerRestart = defineScenario({
  name: 'container-restart',
  title: 'Container Restart',
  description: 'A container is restarted, and its users are watched for 60 s.',
  category: 'component',
  complexity: 'basic',
  severity: 'medium',
  parameters: { DURATION: stressDuration('60s'), CONTAINER: text('Name or id of the container.') },
  steps: [{ container: { name: '${CONTAINER}', action: 'restart' }, for: '${DURATION}' }],
})

function databaseOutage(kind: 'brief' | 'extended', seconds: number, severity: Severity) {
  return defineScenario({
    name: `database-${kind}-outage`,
    title: `Database ${kind.charAt(0).toUpperCase()}${kind.slice(1)} Outage`,
    description: `A database is gone for ${seconds} s: its connections break, and no new one is to be had.`,
    category: 'database',
    complexity: 'intermediate',
    severity,
    parameters: { ...proxyParameters, DURATION: duration(`${seconds}s`) },
    steps: [{ parallel: [faultStep('refuse'), faultStep('reset_peer')] }],
  })
}

export const classics = [
  cpuStress('light', 2, 30),
  cpuStress('medium', 4, 45),
  cpuStress('heavy', 8, 60),
  memoryStress('light', 256, 30),
  memoryStress('medium', 512, 45),
  memoryStress('heavy', 1024, 60),
  diskStress('light', 1, 30),
  diskStress('medium', 2, 45),
  diskStress('heavy', 4, 60),
  networkLatency('light', 50, 30),
  networkLatency('medium', 200, 45),
  networkLatency('heavy', 500, 60),
  packetLoss('light', 5, 30),
  packetLoss('medium', 15, 45),
  packetLoss('heavy', 30, 30),
  packetLoss('heavy', 30, 60, 'long'),
  containerRestart,
  databaseOutage('brief', 10, 'light'),
  databaseOutage('extended', 30, 'heavy'),
]
