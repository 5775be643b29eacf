// The one list of commands, in the order of help. A new command is its file and a line here.
import type { Command } from '../command.ts'
import { create } from './create.ts'
import { deleteProxy } from './delete.ts'
import { demo } from './demo.ts'
import { inspect } from './inspect.ts'
import { list } from './list.ts'
import { serve } from './serve.ts'
import { toggleProxy } from './toggle.ts'
import { toxicAdd } from './toxic-add.ts'
import { toxicRemove } from './toxic-remove.ts'
import { toxicUpdate } from './toxic-update.ts'

export const commands: readonly Command[] = [
  serve,
  demo,
  list,
  inspect,
  create,
  toggleProxy,
  deleteProxy,
  toxicAdd,
  toxicUpdate,
  toxicRemove,
]
