// What each type of stressor has to undo, by a process that did not do it. Apart from child/loads.ts: a guard stays small.
import { readyToUndo } from '../kinds/container/act.ts'
import { readyToRemove } from '../kinds/inodes/folder.ts'
import { readyToContinue } from '../kinds/process/undo.ts'
import { readyToEnd } from '../kinds/stress-ng/session.ts'

const undoings = {
  process: readyToContinue,
  container: readyToUndo,
  inodes: readyToRemove,
  'stress-ng': readyToEnd,
}

/**
 * Gets ready: afterwards neither files nor modules are needed. The function that it returns undoes; it may be called
 * again when it has failed.
 */
type Undoing<Task> = (task: Task) => Promise<() => Promise<void>>

export type UndoingType = keyof typeof undoings
export type UndoTask<Type extends UndoingType> = Parameters<(typeof undoings)[Type]>[0]

/** @throws if there is none */
export function findUndoing(type: string): Undoing<unknown> {
  const undoing = new Map<string, unknown>(Object.entries(undoings)).get(type)
  if (undoing === undefined) throw new Error(`stressors of type ${type} have nothing to undo`)
  return undoing as Undoing<unknown>
}
