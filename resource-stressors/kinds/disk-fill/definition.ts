// A disk that fills up: space that is really taken, by a file that nobody sees, and given back.
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { chooseFolder, fileSystemAt } from '../../disk/file-system.ts'
import { DiskGauge, inMib, diskLimits } from '../../disk/floor.ts'
import type { DiskFillTask } from './load.ts'

export interface DiskFillAttributes {
  readonly path?: string
  readonly bytes?: number
  readonly percent?: number
  readonly leaveFreeBytes?: number
}

export const diskFill = defineStressor<DiskFillAttributes, DiskFillTask>({
  type: 'disk-fill',
  describe:
    'Takes space on a disk, by a file without a name. At least 1 GiB or 5 % of all, whichever is more, always stays ' +
    'free: what would be beyond that is not taken, what others then write is made room for, and if they press the disk ' +
    'below it all the same, everything is given back.',
  schema: Type.Object({
    path: Type.Optional(
      Type.String({
        description: 'A folder on the disk that is meant, as an absolute path. Default: that of temporary files.',
      }),
    ),
    bytes: Type.Optional(Type.Integer({ minimum: 1, description: 'How much to take.' })),
    percent: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 100,
        description: 'How much to take, as a share of what df counts as used and available together.',
      }),
    ),
    leaveFreeBytes: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Takes and gives back so that so much is free, whatever others do.' }),
    ),
  }),
  plan,
})

function plan(attributes: DiskFillAttributes, context: PlanContext): Plan<DiskFillTask> {
  checkCombination(attributes, context)
  const { percent = 0, leaveFreeBytes } = attributes
  const { folder, notes } = chooseFolder(attributes.path, context.field('path'))
  const disk = fileSystemAt(folder)
  const limits = diskLimits(folder, disk, context)
  const gauge = new DiskGauge(limits)
  const full = gauge.refusal()
  if (full !== undefined) throw refusal(`disk-fill: ${full}`)
  const { floorBytes, keepFreeBytes } = limits.space
  if (leaveFreeBytes !== undefined) {
    const leftBytes = Math.max(leaveFreeBytes, keepFreeBytes)
    const raised = `less than ${inMib(leftBytes)} free is not safe here: so much will be left`
    return {
      requested: { freeBytes: leftBytes },
      notes: leftBytes > leaveFreeBytes ? [...notes, raised] : notes,
      task: { limits: { ...limits, space: { floorBytes, keepFreeBytes: leftBytes } }, bytes: null },
    }
  }
  const askedBytes = Math.floor(attributes.bytes ?? (percent / 100) * disk.totalBytes)
  const bytes = Math.min(askedBytes, gauge.roomBytes())
  const capped = `${inMib(askedBytes)} were asked for: capped at ${inMib(bytes)}, as ${gauge.keptInWords()} have to stay free`
  return { requested: { bytes }, notes: bytes < askedBytes ? [...notes, capped] : notes, task: { limits, bytes } }
}

function checkCombination(attributes: DiskFillAttributes, { field }: PlanContext): void {
  const amounts = (['bytes', 'percent', 'leaveFreeBytes'] as const).filter((name) => attributes[name] !== undefined)
  const [first, second] = amounts
  if (second !== undefined) throw invalidAttribute(field(second), `nothing beside ${first}`, attributes[second])
  if (first === undefined) throw invalidAttribute(field('bytes'), 'bytes, percent or leaveFreeBytes', undefined)
}
