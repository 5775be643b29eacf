// A disk that runs out of inodes: no file can be made any more, however much space there is.
import { Type } from '@sinclair/typebox'
import { defineStressor, invalidAttribute, type Plan, type PlanContext } from '../../definition.ts'
import { chooseFolder, fileSystemAt } from '../../disk/file-system.ts'
import { planCount, type CountedAttributes } from '../counted.ts'
import type { InodesTask } from './load.ts'
import { inodeSupplies } from './supplies.ts'

export interface InodesAttributes extends CountedAttributes {
  readonly path?: string
}

/**
 * Measured with Linux 6.18: to remove a file takes 13 µs of a core on ext4, and 7 in a tmpfs, nearly all of it the kernel's.
 * Two threads are up to twice as fast, but not where others keep the disk's journal busy: 40,000 take 0.3 s on two quiet
 * cores, 60,000 up to 1.7 s on two with a load of 8. More cores were not there to be tried.
 */
const MAX_INODES_PER_CORE = 20_000
/** For as many folders at a time. */
const MAX_REMOVERS = 2

export const inodes = defineStressor<InodesAttributes, InodesTask>({
  type: 'inodes',
  describe:
    'Takes inodes of a disk, by empty files in a folder of its own. At least 5 % stay free. At most 40,000, or 20,000 ' +
    'where there is but one core: more can not be removed within a second. A guard process removes the folder if the ' +
    'stressor is killed.',
  schema: Type.Object({
    path: Type.Optional(
      Type.String({
        description: 'A folder on the disk that is meant, as an absolute path. Default: that of temporary files.',
      }),
    ),
    count: Type.Optional(Type.Integer({ minimum: 1, description: 'How many to take, at most 40,000.' })),
    leaveFree: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Takes and gives back so that so many are free, whatever others do.' }),
    ),
  }),
  undoes: true,
  plan,
})

function plan(attributes: InodesAttributes, context: PlanContext): Plan<InodesTask> {
  const { machine, memoryFloorBytes, diskFloorBytes, field } = context
  const { folder: path, ...chosen } = chooseFolder(attributes.path, field('path'))
  if (fileSystemAt(path).totalInodes === 0) {
    throw invalidAttribute(field('path'), 'a folder on a file system with a limited number of inodes', path)
  }
  const supplies = inodeSupplies(path, machine, { memoryFloorBytes, diskFloorBytes })
  const removers = Math.max(1, Math.min(MAX_REMOVERS, Math.floor(machine.cpu().usableCores)))
  const { notes, task, ...planned } = planCount('inodes', attributes, supplies, context, removers * MAX_INODES_PER_CORE)
  return {
    ...planned,
    notes: [...chosen.notes, ...notes],
    task: { ...task, path, removers, machineRoot: machine.root, memoryFloorBytes, diskFloorBytes },
  }
}
