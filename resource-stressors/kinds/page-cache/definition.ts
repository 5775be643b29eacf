// Page cache pressure: files that are read, so that the kernel drops those of others which it has kept in memory.
import { Type } from '@sinclair/typebox'
import { checkFolder, fileSystemAt } from '../../disk/file-system.ts'
import { inMib } from '../../disk/floor.ts'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { findProgram } from '../../machine/programs.ts'
import { floorLimits } from '../memory/floor.ts'
import type { PageCacheTask } from './load.ts'
import { findSource, type Source } from './source.ts'

export interface PageCacheAttributes {
  readonly bytes?: number
  readonly percent?: number
  readonly source?: string
  readonly path?: string
  readonly rereadMs: number
}

/** On a disk, by the Filesystem Hierarchy Standard, 5.15; the folder of temporary files is often in memory. */
const DEFAULT_FOLDER = '/var/tmp'

export const pageCache = defineStressor<PageCacheAttributes, PageCacheTask>({
  type: 'page-cache',
  describe:
    'Reads files again and again, so that they stay in the page cache. That is memory which nobody else needs as yet, ' +
    'as long as there is some; beyond that the kernel drops pages of other files, and whoever wants those has to wait ' +
    'for the disk. In a container with a limit of memory, that is for files of this container. Reads a file of its ' +
    'own, without a name and without content, which takes no space on the disk; or files that are there. Programs lose ' +
    'no memory to it: the kernel drops such pages first. It ends when less than 256 MiB or 5 %, whichever is more, are ' +
    'available to them.',
  schema: Type.Object({
    bytes: Type.Optional(Type.Integer({ minimum: 1, description: 'How much is to be in the page cache.' })),
    percent: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 100,
        description: "The same as a share of the container's limit or the machine's memory.",
      }),
    ),
    source: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'A file or folder that is there, as an absolute path, to be read instead of a file of its own: at most 5000 ' +
          'files; without bytes or percent, all of them. Symbolic links are not followed.',
      }),
    ),
    path: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'A folder on a disk for the file of its own, as an absolute path. Default: /var/tmp.',
      }),
    ),
    rereadMs: Type.Integer({
      default: 10_000,
      minimum: 1000,
      maximum: 600_000,
      description:
        'Time in milliseconds in which everything is read once more. 10 GB in 10 s need some 30 % of a core.',
    }),
  }),
  plan,
})

async function plan(attributes: PageCacheAttributes, context: PlanContext): Promise<Plan<PageCacheTask>> {
  const { machine, memoryFloorBytes } = context
  if (!machine.hasProc || process.platform !== 'linux') {
    throw refusal('page-cache: expected Linux with /proc: elsewhere nothing tells how much may be taken')
  }
  checkCombination(attributes, context)
  const folder = attributes.source === undefined ? checkedFolder(attributes.path ?? DEFAULT_FOLDER, context) : null
  const source = attributes.source === undefined ? null : await findSource(attributes.source, context.field('source'))
  const { totalBytes } = machine.memory()
  const { floorBytes, keepFreeBytes } = floorLimits(machine, memoryFloorBytes)
  const availableBytes = machine.availableToProgramsBytes()
  if (availableBytes <= keepFreeBytes) {
    const free = `${inMib(availableBytes)} of ${inMib(totalBytes)} are available and ${inMib(keepFreeBytes)} have to be`
    throw refusal(`page-cache: there is no memory for it: ${free}`)
  }
  const { bytes: fixedBytes, percent } = attributes
  const askedBytes = Math.floor(
    fixedBytes ?? (percent === undefined ? (source?.bytes ?? 0) : (percent / 100) * totalBytes),
  )
  const bytes = Math.floor(Math.min(askedBytes, availableBytes, source?.bytes ?? Infinity))
  const notes: string[] = []
  if (bytes < askedBytes) {
    const because = bytes === source?.bytes ? 'which is all that source has' : 'as programs have the rest'
    notes.push(`${inMib(askedBytes)} were asked for: capped at ${inMib(bytes)}, ${because}`)
  }
  const fincore = fincoreFor(source)
  if (fincore.missing !== undefined) notes.push(`cachedBytes can not be told: ${fincore.missing}`)
  return {
    requested: { cachedBytes: bytes },
    notes,
    task: {
      bytes,
      folder,
      files: source?.files ?? null,
      rereadMs: attributes.rereadMs,
      fincore: fincore.program ?? null,
      floorBytes,
      machineRoot: machine.root,
    },
  }
}

function checkCombination({ bytes, percent, source, path }: PageCacheAttributes, { field }: PlanContext): void {
  if (bytes !== undefined && percent !== undefined)
    throw invalidAttribute(field('percent'), 'nothing beside bytes', percent)
  if (bytes === undefined && percent === undefined && source === undefined) {
    throw invalidAttribute(field('bytes'), 'bytes, percent or source', bytes)
  }
  if (source !== undefined && path !== undefined) throw invalidAttribute(field('path'), 'nothing beside source', path)
}

function checkedFolder(path: string, { field }: PlanContext): string {
  checkFolder(path, field('path'))
  if (!fileSystemAt(path).inMemory) return path
  throw invalidAttribute(field('path'), 'a folder on a disk: what is in memory anyway is no cache', path)
}

interface Fincore {
  readonly program?: string
  /** Why there is none. */
  readonly missing?: string
}

/** mincore(2) tells the truth only to the owner of a file and to those who may write to it. */
function fincoreFor(source: Source | null): Fincore {
  const program = findProgram('fincore')
  if (program === undefined) return { missing: 'the program fincore, of util-linux, is not here' }
  return source?.isOurs === false ? { missing: 'the kernel tells it of own files alone' } : { program }
}
