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

/** What has to be removed again within some seconds. */
const MAX_INODES = 1_000_000

export const inodes = defineStressor<InodesAttributes, InodesTask>({
  type: 'inodes',
  describe:
    'Takes inodes of a disk, by empty files in a folder of its own. At least 5 % stay free. A guard process removes ' +
    'the folder if the stressor is killed; where there are hundreds of thousands of files, that takes some seconds.',
  schema: Type.Object({
    path: Type.Optional(
      Type.String({
        description: 'A folder on the disk that is meant, as an absolute path. Default: that of temporary files.',
      }),
    ),
    count: Type.Optional(Type.Integer({ minimum: 1, description: 'How many to take, at most a million.' })),
    leaveFree: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Takes and gives back so that so many are free, whatever others do.' }),
    ),
  }),
  undoes: true,
  plan,
})

function plan(attributes: InodesAttributes, context: PlanContext): Plan<InodesTask> {
  const { leaveFree } = attributes
  const { machine, memoryFloorBytes, diskFloorBytes, field } = context
  const { folder: path, ...chosen } = chooseFolder(attributes.path, field('path'))
  const { totalInodes, freeInodes } = fileSystemAt(path)
  if (totalInodes === 0) {
    throw invalidAttribute(field('path'), 'a folder on a file system with a limited number of inodes', path)
  }
  const supplies = inodeSupplies(path, machine, { memoryFloorBytes, diskFloorBytes })
  const most = { count: MAX_INODES, because: 'as more could not be given back in time' }
  const { requested, notes, task } = planCount('inodes', attributes, supplies, most, context)
  if (leaveFree !== undefined && freeInodes - task.leaveFree > MAX_INODES) {
    const expected = `at least ${freeInodes - MAX_INODES}: more than ${MAX_INODES} could not be given back in time`
    throw invalidAttribute(field('leaveFree'), expected, leaveFree)
  }
  return {
    requested,
    notes: [...chosen.notes, ...notes],
    task: { ...task, path, machineRoot: machine.root, memoryFloorBytes, diskFloorBytes },
  }
}
