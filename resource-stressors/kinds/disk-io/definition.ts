// Disk traffic: reads and writes at a rate, which reach the disk.
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { DIRECT_BLOCK_BYTES, DIRECT_FLAG } from '../../disk/direct-io.ts'
import { chooseFolder, fileSystemAt } from '../../disk/file-system.ts'
import { DiskGauge, diskLimits, inMib } from '../../disk/floor.ts'
import type { DiskIoTask } from './load.ts'
import type { Sync } from './worker.ts'

export interface DiskIoAttributes {
  readonly path?: string
  readonly bytesPerSecond?: number
  readonly iops?: number
  readonly blockSize?: number
  readonly readShare: number
  readonly sync: Sync
  readonly workers: number
  readonly fileSizeBytes: number
}

const MIB = 2 ** 20
const MAX_BLOCK_BYTES = 16 * MIB
const DEFAULT_BLOCK_BYTES = 64 * 1024
/** What databases and virtual disks do most. */
const DEFAULT_IOPS_BLOCK_BYTES = 4096
const MAX_WORKERS = 16
const MAX_FILE_BYTES = 16 * 1024 * MIB

export const diskIo = defineStressor<DiskIoAttributes, DiskIoTask>({
  type: 'disk-io',
  describe:
    'Writes to a disk, and reads from it, at a rate, in files without names; makes up for what the disk withholds as far ' +
    'as it lies back less than a second. What is read comes from the disk, never from the page cache. The files count ' +
    'as space that is taken: at least 1 GiB or 5 % of the disk, whichever is more, always stays free.',
  schema: Type.Object({
    path: Type.Optional(
      Type.String({
        description: 'A folder on the disk that is meant, as an absolute path. Default: that of temporary files.',
      }),
    ),
    bytesPerSecond: Type.Optional(Type.Integer({ minimum: 1, description: 'The rate, of all workers together.' })),
    iops: Type.Optional(
      Type.Number({ minimum: 1, description: 'The rate as operations per second, of all workers together.' }),
    ),
    blockSize: Type.Optional(
      Type.Integer({
        minimum: DIRECT_BLOCK_BYTES,
        maximum: MAX_BLOCK_BYTES,
        description: 'Bytes of one operation, a multiple of 4096. Default 65536 with bytesPerSecond, 4096 with iops.',
      }),
    ),
    readShare: Type.Number({
      default: 0,
      minimum: 0,
      maximum: 1,
      description: 'Share of the operations that read. Above 0, the file is written first, as fast as the disk can.',
    }),
    sync: Type.Union([Type.Literal('direct'), Type.Literal('fdatasync'), Type.Literal('none')], {
      default: 'direct',
      description:
        'How writes reach the disk. direct: past the page cache, O_DIRECT. fdatasync: through it, with a wait after each ' +
        'until it is on the disk, journal included. none: through it; the system writes later, at its own pace.',
    }),
    workers: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: MAX_WORKERS,
      description: 'How many operations are under way at a time, each in a file of its own.',
    }),
    fileSizeBytes: Type.Integer({
      default: 64 * MIB,
      minimum: DIRECT_BLOCK_BYTES,
      maximum: MAX_FILE_BYTES,
      description: 'Size of all files together, written and read from beginning to end, again and again.',
    }),
  }),
  plan,
})

function plan(attributes: DiskIoAttributes, context: PlanContext): Plan<DiskIoTask> {
  const { readShare, sync, workers, fileSizeBytes } = attributes
  const { field } = context
  const { blockBytes, operationsPerSecond } = checkRate(attributes, context)
  const leastBytes = workers * blockBytes
  if (fileSizeBytes < leastBytes) {
    const expected = `at least a block of ${blockBytes} for each of ${workers} workers, ${leastBytes}`
    throw invalidAttribute(field('fileSizeBytes'), expected, fileSizeBytes)
  }
  if (DIRECT_FLAG === undefined) {
    if (sync === 'direct')
      throw invalidAttribute(field('sync'), 'fdatasync or none, as there is no O_DIRECT here', sync)
    if (readShare > 0) throw invalidAttribute(field('readShare'), '0, as there is no O_DIRECT here', readShare)
  }
  const { folder, ...chosen } = chooseFolder(attributes.path, field('path'))
  const disk = fileSystemAt(folder)
  if (disk.inMemory) throw invalidAttribute(field('path'), 'a folder on a disk, not in memory', folder)
  const limits = diskLimits(folder, disk, context)
  const gauge = new DiskGauge(limits)
  const roomBytes = gauge.roomBytes()
  if (roomBytes < leastBytes) throw refusal(`disk-io: ${gauge.refusal() ?? `there is no room for ${leastBytes} bytes`}`)
  const fileBytes = Math.floor(Math.min(fileSizeBytes, roomBytes) / leastBytes) * blockBytes
  const notes = [...chosen.notes]
  if (roomBytes < fileSizeBytes) {
    const capped = `capped at ${inMib(fileBytes * workers)}, as ${gauge.keptInWords()} have to stay free`
    notes.push(`files of ${inMib(fileSizeBytes)} were asked for: ${capped}`)
  }
  if (readShare > 0) notes.push(`it begins by writing what is to be read, ${inMib(fileBytes * workers)}`)
  return {
    requested: { bytesPerSecond: Math.round(operationsPerSecond * blockBytes), operationsPerSecond },
    notes,
    task: { limits, workers, operationsPerSecond, blockBytes, readShare, sync, fileBytes },
  }
}

function checkRate({ bytesPerSecond, iops, blockSize }: DiskIoAttributes, { field }: PlanContext) {
  if (bytesPerSecond !== undefined && iops !== undefined) {
    throw invalidAttribute(field('iops'), 'nothing beside bytesPerSecond', iops)
  }
  const blockBytes = blockSize ?? (iops === undefined ? DEFAULT_BLOCK_BYTES : DEFAULT_IOPS_BLOCK_BYTES)
  if (blockBytes % DIRECT_BLOCK_BYTES !== 0) {
    throw invalidAttribute(field('blockSize'), `a multiple of ${DIRECT_BLOCK_BYTES}`, blockSize)
  }
  if (iops !== undefined) return { blockBytes, operationsPerSecond: iops }
  if (bytesPerSecond === undefined) {
    throw invalidAttribute(field('bytesPerSecond'), 'bytesPerSecond or iops', bytesPerSecond)
  }
  if (bytesPerSecond < blockBytes) {
    throw invalidAttribute(field('bytesPerSecond'), `at least a block a second, ${blockBytes}`, bytesPerSecond)
  }
  return { blockBytes, operationsPerSecond: bytesPerSecond / blockBytes }
}
