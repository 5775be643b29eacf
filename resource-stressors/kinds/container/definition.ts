// Containers that are paused, killed, stopped or restarted.
import { constants } from 'node:os'
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import type { ContainerAction, ContainerOrder } from './act.ts'
import { ContainerEngine } from './engine.ts'
import { EngineError } from './engine-error.ts'
import { selectContainers } from './selection.ts'
import { findSocketPath } from './socket-path.ts'

export interface ContainerAttributes {
  readonly action: ContainerAction
  readonly container?: string
  readonly label?: string
  readonly maxMatches: number
  readonly signal?: string
  readonly graceSeconds?: number
  readonly startAgain?: boolean
  readonly socketPath?: string
}

const DEFAULT_SIGNAL = 'SIGKILL'
/** That of Docker's own clients. */
const DEFAULT_GRACE_SECONDS = 10
/** What they do is undone by nobody; pausing is, and does the same. */
const STOP_SIGNALS = new Set(['SIGSTOP', 'SIGTSTP', 'SIGTTIN', 'SIGTTOU'])

/** Attributes that only some actions have. */
const ONLY_WITH = {
  signal: ['kill'],
  graceSeconds: ['stop', 'restart'],
  startAgain: ['stop', 'kill'],
} as const satisfies Partial<Record<keyof ContainerAttributes, readonly ContainerAction[]>>

export const containerStressor = defineStressor<ContainerAttributes, ContainerOrder>({
  type: 'container',
  describe:
    'Pauses, kills, stops or restarts containers through the API of Docker or of an engine that speaks the same, over ' +
    'its Unix socket. What was paused goes on at the end and what was stopped is started again, also when Faultline is ' +
    'killed. Never the container that Faultline is in.',
  schema: Type.Object({
    action: Type.Union([Type.Literal('pause'), Type.Literal('kill'), Type.Literal('stop'), Type.Literal('restart')], {
      description:
        'pause: all its processes are frozen until the end. kill: its main process gets a signal. stop: it is asked to ' +
        'end, and killed if it has not after graceSeconds. restart: stopped and started at once. kill, restart, and ' +
        'stop that is not to start again, end when they are done.',
    }),
    container: Type.Optional(Type.String({ minLength: 1, description: 'Name or id, also the beginning of an id.' })),
    label: Type.Optional(
      Type.String({ minLength: 1, description: 'key or key=value: containers that run and have this label.' }),
    ),
    maxMatches: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 100,
      description: 'If more containers have the label than this, nothing happens to any; the error names them.',
    }),
    signal: Type.Optional(Type.String({ description: `With kill, e.g. SIGHUP. Default ${DEFAULT_SIGNAL}.` })),
    graceSeconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 300,
        description: `With stop and restart: how long it may take to end by itself. Default ${DEFAULT_GRACE_SECONDS}.`,
      }),
    ),
    startAgain: Type.Optional(
      Type.Boolean({
        description: 'With stop and kill: it is started at the end. Default: true with stop, else false.',
      }),
    ),
    socketPath: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Where the engine listens. Default: what DOCKER_HOST says, else /var/run/docker.sock.',
      }),
    ),
  }),
  undoes: true,
  plan,
})

async function plan(attributes: ContainerAttributes, context: PlanContext): Promise<Plan<ContainerOrder>> {
  checkCombination(attributes, context)
  const { action, signal = DEFAULT_SIGNAL, graceSeconds = DEFAULT_GRACE_SECONDS } = attributes
  const startAgain = attributes.startAgain ?? action === 'stop'
  const socketPath = findSocketPath(attributes.socketPath, process.env['DOCKER_HOST'], context.field('socketPath'))
  const { chosen, leftOut } = await selectAt(socketPath, { ...attributes, startAgain }, context)
  const names = chosen.map(({ id, name }) => `${name} (${id.slice(0, 12)})`)
  const notes = [`${action}: ${names.join(', ')}`, ...leftOut]
  if ((action === 'kill' || action === 'stop') && !startAgain) notes.push('not started again, as startAgain is false')
  const containers = chosen.map(({ id, name }) => ({ id, name }))
  return {
    requested: { containers: chosen.length },
    notes,
    task: { socketPath, action, containers, signal, graceSeconds, startAgain },
  }
}

async function selectAt(
  socketPath: string,
  attributes: ContainerAttributes & { readonly startAgain: boolean },
  context: PlanContext,
): ReturnType<typeof selectContainers> {
  try {
    const engine = await ContainerEngine.connect(socketPath)
    try {
      return await selectContainers(engine, attributes, context)
    } finally {
      await engine.close()
    }
  } catch (error) {
    if (error instanceof EngineError) throw refusal(`container: ${error.message}`)
    throw error
  }
}

function checkCombination(attributes: ContainerAttributes, { field, rampUpMs }: PlanContext): void {
  const { action, container, label, signal } = attributes
  if (rampUpMs > 0) throw invalidAttribute('rampUpMs', '0 with containers', rampUpMs)
  if (container === undefined && label === undefined) {
    throw invalidAttribute(field('container'), 'container or label', undefined)
  }
  if (container !== undefined && label !== undefined) {
    throw invalidAttribute(field('label'), 'nothing beside container', label)
  }
  // What engines allow in names; it goes into the path of a request.
  if (container !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(container)) {
    throw invalidAttribute(field('container'), 'letters, digits, and _ . - after the first', container)
  }
  for (const [name, actions] of Object.entries(ONLY_WITH)) {
    const value = attributes[name as keyof typeof ONLY_WITH]
    if (value === undefined || (actions as readonly string[]).includes(action)) continue
    throw invalidAttribute(field(name), `nothing beside the action ${action}`, value)
  }
  if (signal === undefined) return
  if (STOP_SIGNALS.has(signal)) {
    throw invalidAttribute(field('signal'), 'a signal that stops nothing: the action pause does that', signal)
  }
  if (!Object.hasOwn(constants.signals, signal)) {
    throw invalidAttribute(field('signal'), 'the name of a signal, e.g. SIGTERM', signal)
  }
}
