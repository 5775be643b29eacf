// Memory pressure: memory that is taken, kept in RAM and given back, and never more than the machine can do without.
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { floorLimits } from './floor.ts'
import type { MemoryTask } from './load.ts'

export interface MemoryAttributes {
  readonly bytes?: number
  readonly percent?: number
  readonly leaveFreeBytes?: number
  readonly leakBytesPerSecond?: number
  readonly holdMs?: number
}

export const memory = defineStressor<MemoryAttributes, MemoryTask>({
  type: 'memory',
  describe:
    'Takes memory and keeps it in RAM. At least 256 MiB or 5 % of all, whichever is more, always stays free: what would ' +
    'be beyond that is not taken, and if others press the machine below it, everything is given back (Linux).',
  schema: Type.Object({
    bytes: Type.Optional(Type.Integer({ minimum: 1, description: 'How much to take.' })),
    percent: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 100,
        description: "How much to take, as a share of the container's limit or the machine's memory.",
      }),
    ),
    leaveFreeBytes: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Takes and gives back so that so much is free, whatever others do.' }),
    ),
    leakBytesPerSecond: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Takes it at this rate; without bytes or percent, all that there is above the floor.',
      }),
    ),
    holdMs: Type.Optional(
      Type.Integer({
        minimum: 1,
        description:
          'Time in milliseconds after which what was taken in full is given back and taken again, as by a leaking ' +
          'service that gets restarted. Default: it is kept.',
      }),
    ),
  }),
  plan,
})

function plan(attributes: MemoryAttributes, context: PlanContext): Plan<MemoryTask> {
  const { machine } = context
  if (!machine.hasProc || process.platform !== 'linux') {
    throw refusal('memory: expected Linux with /proc: elsewhere nothing tells when to stop, and who gets killed')
  }
  checkCombination(attributes, context)
  const { totalBytes, availableBytes } = machine.memory()
  const limits = floorLimits(machine, context.memoryFloorBytes)
  const roomBytes = availableBytes - limits.keepFreeBytes
  if (roomBytes <= 0) {
    const free = `${inMib(availableBytes)} of ${inMib(totalBytes)} are free and ${inMib(limits.keepFreeBytes)} have to be`
    throw refusal(`memory: there is none to take: ${free}`)
  }
  const { leaveFreeBytes, leakBytesPerSecond = 0, holdMs = 0 } = attributes
  const rest = { ...limits, leakBytesPerSecond, holdMs, machineRoot: machine.root }
  if (leaveFreeBytes !== undefined) {
    const keepFreeBytes = Math.max(leaveFreeBytes, limits.keepFreeBytes)
    const raised = `less than ${inMib(keepFreeBytes)} free is not safe here: so much will be left`
    return {
      requested: { freeBytes: keepFreeBytes },
      notes: keepFreeBytes > leaveFreeBytes ? [raised] : [],
      task: { ...rest, keepFreeBytes, bytes: null },
    }
  }
  const askedBytes = attributes.bytes ?? ((attributes.percent ?? 100) / 100) * totalBytes
  const bytes = Math.floor(Math.min(askedBytes, roomBytes))
  const capped = `${inMib(askedBytes)} were asked for: capped at ${inMib(bytes)}, as ${inMib(limits.keepFreeBytes)} have to stay free`
  return { requested: { bytes }, notes: bytes < Math.floor(askedBytes) ? [capped] : [], task: { ...rest, bytes } }
}

function checkCombination(attributes: MemoryAttributes, { field, rampUpMs }: PlanContext): void {
  const { leakBytesPerSecond, leaveFreeBytes } = attributes
  const amounts = (['bytes', 'percent', 'leaveFreeBytes'] as const).filter((name) => attributes[name] !== undefined)
  const [first, second] = amounts
  if (second !== undefined) throw invalidAttribute(field(second), `nothing beside ${first}`, attributes[second])
  if (first === undefined && leakBytesPerSecond === undefined) {
    throw invalidAttribute(field('bytes'), 'bytes, percent, leaveFreeBytes or leakBytesPerSecond', undefined)
  }
  if (leaveFreeBytes !== undefined && rampUpMs > 0) {
    throw invalidAttribute(field('leaveFreeBytes'), 'nothing beside rampUpMs', leaveFreeBytes)
  }
  if (leakBytesPerSecond === undefined) return
  if (leaveFreeBytes !== undefined) {
    throw invalidAttribute(field('leakBytesPerSecond'), 'nothing beside leaveFreeBytes', leakBytesPerSecond)
  }
  if (rampUpMs > 0) throw invalidAttribute(field('leakBytesPerSecond'), 'nothing beside rampUpMs', leakBytesPerSecond)
}

function inMib(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`
}
