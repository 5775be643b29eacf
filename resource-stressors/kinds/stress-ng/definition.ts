// What stress-ng can do and this package can't: an engine that is used where it is installed.
import { tmpdir } from 'node:os'
import { Type } from '@sinclair/typebox'
import { nearest } from '../../../proxy/nearest.ts'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import { checkFolder } from '../../disk/file-system.ts'
import { floorLimits } from '../memory/floor.ts'
import { countWorkers } from '../workers.ts'
import { allowedInWords, allowedStressors, memoryOfWorker } from './allowed.ts'
import type { StressNgTask } from './load.ts'
import { findStressNg, jobArguments } from './program.ts'

export interface StressNgAttributes {
  readonly stressor: string
  readonly workers: number | 'all'
}

const MIB = 2 ** 20
/** So much later than the stressor's own time to live, which is exact: it is there for when nobody can end it any more. */
const EXTRA_SECONDS = 2

export const stressNg = defineStressor<StressNgAttributes, StressNgTask>({
  type: 'stress-ng',
  describe:
    'Runs a stressor of stress-ng where that program is installed (Linux): caches, the TLB, context switches, timers and ' +
    'more that the other types do not press. Only those that load a machine and leave it as it was; always with a time ' +
    'limit, in a folder of its own. Its processes are ended by SIGTERM, then SIGKILL.',
  schema: Type.Object({
    stressor: Type.String({ minLength: 1, description: `One of these, by class. ${allowedInWords}.` }),
    workers: Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('all')], {
      default: 1,
      description:
        'How many there are, at most 4 a core with all stressors together. all: one for each core that this machine or ' +
        'container has.',
    }),
  }),
  undoes: true,
  plan,
})

async function plan(
  { stressor, workers: asked }: StressNgAttributes,
  context: PlanContext,
): Promise<Plan<StressNgTask>> {
  const { machine, rampUpMs, ttlMs, memoryFloorBytes } = context
  if (!machine.hasProc || process.platform !== 'linux') {
    throw refusal('stress-ng: expected Linux with /proc: elsewhere its processes can not be followed')
  }
  if (rampUpMs > 0) throw invalidAttribute('rampUpMs', '0, as stress-ng has no ramp', rampUpMs)
  checkAllowed(stressor, context)
  const { program, version, stressors } = await findStressNg()
  if (!stressors.has(stressor)) {
    throw invalidAttribute(context.field('stressor'), `a stressor that stress-ng ${version} has`, stressor)
  }
  const workers = countWorkers(asked, context)
  const { floorBytes, keepFreeBytes } = floorLimits(machine, memoryFloorBytes)
  const neededBytes = workers * memoryOfWorker(stressor)
  const spareBytes = machine.memory().availableBytes - keepFreeBytes
  if (neededBytes > spareBytes) {
    const spare = `${inMib(Math.max(0, spareBytes))} can be taken`
    throw refusal(`stress-ng: ${workers} workers of ${stressor} may need ${inMib(neededBytes)} of memory, and ${spare}`)
  }
  const path = tmpdir()
  checkFolder(path, 'TMPDIR')
  const job = { stressor, workers, timeoutSeconds: Math.ceil(ttlMs / 1000) + EXTRA_SECONDS }
  return {
    requested: { workers },
    notes: [`stress-ng ${version}: ${[program, ...jobArguments(job, 'FOLDER')].join(' ')}`],
    threads: workers,
    task: { ...job, program, path, floorBytes, machineRoot: machine.root },
  }
}

function checkAllowed(stressor: string, { field }: PlanContext): void {
  if (allowedStressors.includes(stressor)) return
  const close = nearest(stressor, allowedStressors)
  const hint = close === undefined ? '' : ` (did you mean "${close}"?)`
  const expected = `one of those that only load a machine${hint}: ${allowedInWords}`
  throw invalidAttribute(field('stressor'), expected, stressor)
}

function inMib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}
