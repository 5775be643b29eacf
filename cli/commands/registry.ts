// The one list of commands, in the order of help. A new command is its file and a line here.
import type { Command } from '../command.ts'
import { complete } from './complete.ts'
import { completion } from './completion.ts'
import { create } from './create.ts'
import { deleteProxy } from './delete.ts'
import { demo } from './demo.ts'
import { faultAdd } from './fault-add.ts'
import { faultList } from './fault-list.ts'
import { faultRemove } from './fault-remove.ts'
import { faultSet } from './fault-set.ts'
import { faults } from './faults.ts'
import { healthcheck } from './healthcheck.ts'
import { inspect } from './inspect.ts'
import { list } from './list.ts'
import { partitionAdd } from './partition-add.ts'
import { partitionHeal } from './partition-heal.ts'
import { partitionList } from './partition-list.ts'
import { proxyAdd } from './proxy-add.ts'
import { proxyList } from './proxy-list.ts'
import { proxyRemove } from './proxy-remove.ts'
import { proxyShow } from './proxy-show.ts'
import { proxyDisable, proxyEnable } from './proxy-switch.ts'
import { report } from './report.ts'
import { runCommand } from './run.ts'
import { heal, reset, resume, stop } from './safety.ts'
import { scenarios } from './scenarios.ts'
import { serve } from './serve.ts'
import { sidecarApply, sidecarRemove, sidecarRulesCommand } from './sidecar.ts'
import { stressList } from './stress-list.ts'
import { stressStop } from './stress-stop.ts'
import { stressTypes } from './stress-types.ts'
import { stress } from './stress.ts'
import { toggleProxy } from './toggle.ts'
import { toxicAdd } from './toxic-add.ts'
import { toxicRemove } from './toxic-remove.ts'
import { toxicUpdate } from './toxic-update.ts'
import { trend } from './trend.ts'
import { validate } from './validate.ts'
import { watch } from './watch.ts'

export const commands: readonly Command[] = [
  serve,
  demo,
  validate,
  watch,
  proxyList,
  proxyShow,
  proxyAdd,
  proxyRemove,
  proxyEnable,
  proxyDisable,
  faultList,
  faultAdd,
  faultSet,
  faultRemove,
  faults,
  partitionList,
  partitionAdd,
  partitionHeal,
  stress,
  stressList,
  stressStop,
  stressTypes,
  runCommand,
  scenarios,
  report,
  trend,
  heal,
  reset,
  stop,
  resume,
  sidecarRulesCommand,
  sidecarApply,
  sidecarRemove,
  healthcheck,
  completion,
  complete,
  list,
  inspect,
  create,
  toggleProxy,
  deleteProxy,
  toxicAdd,
  toxicUpdate,
  toxicRemove,
]
