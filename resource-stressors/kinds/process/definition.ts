// Processes of others that die, hang or get slow.
import { Type } from '@sinclair/typebox'
import { patternSchema, type Pattern } from '../../../proxy/pattern.ts'
import { defineStressor, invalidAttribute, refusal, type Plan, type PlanContext } from '../../definition.ts'
import type { ProcessTask } from './load.ts'
import type { SeenProcess } from './processes.ts'
import { describeProcess, listSome, selectProcesses } from './selection.ts'

export interface ProcessAttributes {
  readonly action: 'kill' | 'terminate' | 'hang' | 'slow'
  readonly pid?: number
  readonly command?: Pattern
  readonly commandLine?: Pattern
  readonly maxMatches: number
  readonly share?: number
  readonly periodMs?: number
}

const DEFAULT_SHARE = 0.5
const DEFAULT_PERIOD_MS = 100
/** PID_MAX_LIMIT of include/linux/threads.h. */
const MAX_PID = 4_194_304

export const processStressor = defineStressor<ProcessAttributes, ProcessTask>({
  type: 'process',
  describe:
    'Ends processes, or stops them for a time: all of it or a share. A process that was stopped goes on at the end, also ' +
    'when Faultline is killed. Never the first process, threads of the kernel, Faultline itself or its ancestors (Linux).',
  schema: Type.Object({
    action: Type.Union([Type.Literal('kill'), Type.Literal('terminate'), Type.Literal('hang'), Type.Literal('slow')], {
      description:
        'kill: SIGKILL. terminate: SIGTERM. hang: SIGSTOP, and SIGCONT at the end. slow: SIGSTOP and SIGCONT in turns. ' +
        'The first two end when the processes have.',
    }),
    pid: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_PID, description: 'The number of the process.' })),
    command: Type.Optional(
      Type.Union(patternSchema.anyOf, {
        description: 'The name of the program: exact, a glob with *, or a regular expression between slashes (RE2).',
      }),
    ),
    commandLine: Type.Optional(
      Type.Union(patternSchema.anyOf, {
        description: 'Text that the arguments contain, with blanks between them, or a regular expression (RE2).',
      }),
    ),
    maxMatches: Type.Integer({
      default: 1,
      minimum: 1,
      maximum: 1000,
      description: 'If more processes match than this, nothing happens to any; the error names them.',
    }),
    share: Type.Optional(
      Type.Number({
        minimum: 0.01,
        maximum: 0.99,
        description: `With slow: the share of time in which the processes are stopped. Default ${DEFAULT_SHARE}.`,
      }),
    ),
    periodMs: Type.Optional(
      Type.Integer({
        minimum: 20,
        maximum: 60_000,
        description: `With slow: the time in milliseconds from one stop to the next. Default ${DEFAULT_PERIOD_MS} ms.`,
      }),
    ),
  }),
  undoes: true,
  plan,
})

async function plan(attributes: ProcessAttributes, context: PlanContext): Promise<Plan<ProcessTask>> {
  const { action, share = DEFAULT_SHARE, periodMs = DEFAULT_PERIOD_MS } = attributes
  if (process.platform !== 'linux' || !context.machine.hasProc) {
    throw refusal('process: expected Linux with /proc: elsewhere nothing tells processes of the same number apart')
  }
  checkCombination(attributes, context)
  const { chosen, leftOut } = await selectProcesses(attributes, context)
  const isStop = action === 'hang' || action === 'slow'
  if (isStop) refuseStopped(chosen, attributes, context)
  const stoppedPercent = action === 'hang' ? 100 : share * 100
  const notes = [`${action}: ${listSome(chosen.map(describeProcess))}`]
  if (leftOut.length > 0) notes.push(`left out: ${listSome(leftOut)}`)
  return {
    requested: { processes: chosen.length, ...(isStop && { stoppedPercent }) },
    notes,
    task: { action, targets: chosen.map(({ pid, started }) => ({ pid, started })), share, periodMs },
  }
}

function checkCombination(attributes: ProcessAttributes, { field, rampUpMs }: PlanContext): void {
  const { action } = attributes
  if (action === 'slow') return
  for (const name of ['share', 'periodMs'] as const) {
    const value = attributes[name]
    if (value !== undefined) throw invalidAttribute(field(name), `nothing beside the action ${action}`, value)
  }
  if (rampUpMs > 0) throw invalidAttribute('rampUpMs', `0 with the action ${action}`, rampUpMs)
}

/** Whoever has stopped it may want it so, and we would let it go on at the end. */
function refuseStopped(chosen: readonly SeenProcess[], attributes: ProcessAttributes, { field }: PlanContext): void {
  const stopped = chosen.filter(({ isStopped }) => isStopped)
  if (stopped.length === 0) return
  const key = (['pid', 'command', 'commandLine'] as const).find((name) => attributes[name] !== undefined) ?? 'pid'
  const expected = `processes that nobody has stopped, unlike ${listSome(stopped.map(describeProcess))}`
  throw invalidAttribute(field(key), expected, attributes[key])
}
