// Open files: so many that the system has few left for everybody else.
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { isLimited, openFilesPerProcess } from '../../machine/open-files.ts'
import { planCount, type CountedAttributes } from '../counted.ts'
import type { FileDescriptorsTask } from './load.ts'
import { fileSupplies, MAX_HOLDERS } from './supplies.ts'

/** Measured: the kernel closes 300,000 within 160 ms, 0.8 µs of a core each; a single process has but one to do so. */
const MAX_FILES = 500_000

export const fileDescriptors = defineStressor<CountedAttributes, FileDescriptorsTask>({
  type: 'file-descriptors',
  describe:
    "Holds open files of the system's table, whose size is fs.file-max: where few are left, open, accept and socket fail " +
    'with ENFILE in every process that has no CAP_SYS_ADMIN. At least 5 % stay free. At most 500,000. It does not press the limit that ' +
    'each process has of its own (RLIMIT_NOFILE, EMFILE): that one only its own files use up, e.g. connections to it.',
  schema: Type.Object({
    count: Type.Optional(Type.Integer({ minimum: 1, description: 'How many to hold, at most 500,000.' })),
    leaveFree: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Holds as many as leave so many free, whatever others do.' }),
    ),
  }),
  plan,
})

function plan(attributes: CountedAttributes, context: PlanContext): Plan<FileDescriptorsTask> {
  const { machine, memoryFloorBytes, field } = context
  const supplies = fileSupplies(machine, memoryFloorBytes)
  if (!supplies)
    throw refusal('file-descriptors: expected Linux with /proc/sys/fs/file-nr: elsewhere nothing tells when to stop')
  const isEndless = supplies.every((supply) => supply.guards === true || !isLimited(supply))
  if (attributes.leaveFree !== undefined && isEndless) {
    throw invalidAttribute(
      field('leaveFree'),
      'count: this system has no limit of open files (fs.file-max)',
      attributes.leaveFree,
    )
  }
  const perHolder = openFilesPerProcess(machine.root)
  const held = {
    count: MAX_HOLDERS * perHolder,
    because: `as ${MAX_HOLDERS} processes hold them, each at most ${perHolder} (RLIMIT_NOFILE)`,
  }
  const { task, ...planned } = planCount('files', attributes, supplies, context, MAX_FILES, held)
  return { ...planned, task: { ...task, perHolder, machineRoot: machine.root, memoryFloorBytes } }
}
