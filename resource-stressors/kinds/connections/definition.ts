// Connections: open and idle, so many that the other side, or what lies in between, runs out of what each one takes.
import { Type } from '@sinclair/typebox'
import { parseAddress } from '../../../proxy/address.ts'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { openFilesPerProcess } from '../../machine/open-files.ts'
import { spareOf } from '../../machine/supply.ts'
import { mostInASecond, type Most } from '../counted.ts'
import type { ConnectionsTask } from './load.ts'
import { connectionSupplies } from './supplies.ts'

export interface ConnectionsAttributes {
  readonly target: string
  readonly count: number
  readonly perSecond?: number
  readonly maxOpening: number
  readonly reopen: boolean
  readonly endWith: 'RST' | 'FIN'
}

/** Measured on two cores: 15,000 are reset within 0.4 s, 0.05 ms of a core each, with what a server in Node does about it. */
const MAX_CONNECTIONS = 10_000

export const connections = defineStressor<ConnectionsAttributes, ConnectionsTask>({
  type: 'connections',
  describe:
    'Opens TCP connections to a server, or to a proxy before it, and says nothing on them: a server runs out of ' +
    'workers, files or connections of its own limit, a load balancer of slots, this machine of ports for this target. ' +
    'What is refused or ended is counted, and tried again at most ten times maxOpening a second. 5 % of the open files ' +
    'of this system always stay free. At most 10,000: more can not be ended within a second.',
  schema: Type.Object({
    target: Type.String({ minLength: 1, description: 'host:port to connect to.' }),
    count: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'How many are to be open at a time.' }),
    perSecond: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 1_000_000,
        description: 'Opens at most so many a second. Default: as fast as it goes.',
      }),
    ),
    maxOpening: Type.Integer({
      default: 100,
      minimum: 1,
      maximum: 1000,
      description: 'At most so many are being opened at a time: the others wait for those to be accepted or refused.',
    }),
    reopen: Type.Boolean({
      default: true,
      description: 'Opens another one when the other side ends or refuses one. Otherwise each is tried once.',
    }),
    endWith: Type.Union([Type.Literal('RST'), Type.Literal('FIN')], {
      default: 'RST',
      description:
        'How they are ended. RST leaves nothing; after FIN, the ports of this machine are in TIME_WAIT for a minute.',
    }),
  }),
  // With RST. When a process is killed, the kernel sends FIN, and a server that does not listen keeps its end.
  letsGo: true,
  plan,
})

function plan(attributes: ConnectionsAttributes, context: PlanContext): Plan<ConnectionsTask> {
  const { target, count, perSecond, maxOpening, reopen, endWith } = attributes
  const { host, port } = parseAddress(target, context.field('target'))
  if (host === '' || port === 0) {
    throw invalidAttribute(context.field('target'), 'host:port with a host and a port from 1 to 65535', target)
  }
  const { machine, memoryFloorBytes } = context
  const supplies = connectionSupplies(machine, memoryFloorBytes)
  if (!supplies) throw refusal('connections: expected Linux with /proc: elsewhere nothing tells when to stop')
  const spare = spareOf(supplies)
  if (spare <= 0)
    throw refusal('connections: there are none to be had: too few open files or too little memory is free')
  const perProcess = openFilesPerProcess(machine.root)
  const most = leastOf(
    { count: perProcess, because: 'by the files that a process may open (RLIMIT_NOFILE)' },
    { count: spare, because: 'by what has to stay free' },
    mostInASecond(MAX_CONNECTIONS, context),
  )
  if (most.count === 0) throw refusal(`connections: there are none to be had, ${most.because}`)
  const capped = Math.min(count, most.count)
  return {
    requested: { connections: capped },
    notes: count > capped ? [`${count} were asked for: capped at ${capped} ${most.because}`] : [],
    giveBackShare: capped / MAX_CONNECTIONS,
    task: {
      host,
      port,
      count: capped,
      perSecond: perSecond ?? null,
      maxOpening,
      reopen,
      endWith,
      machineRoot: machine.root,
      memoryFloorBytes,
    },
  }
}

function leastOf(first: Most, ...others: readonly Most[]): Most {
  return others.reduce((least, other) => (other.count < least.count ? other : least), first)
}
