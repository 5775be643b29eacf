// `faultline run` on an experiment of Chaos Toolkit: flags with the original's names, its journal, its exit codes.
import { join } from 'node:path'
import type {
  ChaosExperiment,
  ChaosJournal,
  HypothesisStrategy,
  RollbackStrategy,
} from '../../experiments/chaostoolkit/index.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { serverOf, type Server } from '../api.ts'
import type { FlagValues, Surroundings } from '../command.ts'
import { CommandError, UsageError } from '../errors.ts'
import { duration, oneOf, optional, repeatable, toggle, type Reader } from '../flags.ts'
import { printable } from '../output.ts'
import type { ExperimentText } from './format.ts'

/** What an experiment that can't be read, that did not complete or that deviated ends with, as in the original. */
const EXIT_DEVIATED = 1

const hypothesisStrategies = [
  'default',
  'before-method-only',
  'after-method-only',
  'during-method-only',
  'continuously',
] as const satisfies readonly HypothesisStrategy[]

const rollbackStrategies = ['default', 'always', 'never', 'deviated'] as const satisfies readonly RollbackStrategy[]

/** As in the original: `replicas:int=3`. */
const variable: Reader<readonly [name: string, value: string | number]> = {
  placeholder: 'NAME[:TYPE]=VALUE',
  expected: 'NAME=VALUE, or NAME:TYPE=VALUE with one of the types str, int, float',
  read: (given) => {
    const [, name, type = 'str', text] = /^([A-Za-z_]\w*)(?::(str|int|float))?=([^]*)$/.exec(given) ?? []
    if (name === undefined || text === undefined) return undefined
    if (type === 'str') return [name, text]
    const isNumber = type === 'int' ? /^[+-]?\d+$/.test(text) : text.trim() !== '' && Number.isFinite(Number(text))
    return isNumber ? [name, Number(text)] : undefined
  },
}

export const chaosToolkitFlags = {
  var: repeatable(variable, { describe: 'Chaos Toolkit: a variable of the configuration.' }),
  compat: optional(oneOf('TOOL', ['chaostoolkit']), {
    describe:
      'Chaos Toolkit: keeps what surprises in the original, e.g. that a steady state which does not hold at first is no failure.',
  }),
  'allow-shell': toggle({ describe: 'Chaos Toolkit: gives arguments of processes that are one text to a shell.' }),
  'hypothesis-strategy': optional(oneOf('WHEN', hypothesisStrategies), {
    describe: 'Chaos Toolkit: when the steady state is judged.',
  }),
  'hypothesis-frequency': optional(duration, {
    describe: 'Chaos Toolkit: between two judgements during the method.',
    remark: 'default 1s',
  }),
  'fail-fast': toggle({ describe: 'Chaos Toolkit: ends the method when the steady state does not hold during it.' }),
  'rollback-strategy': optional(oneOf('WHEN', rollbackStrategies), {
    describe: 'Chaos Toolkit: when rollbacks are played.',
  }),
}

type ChaosToolkitValues = FlagValues<typeof chaosToolkitFlags>

export interface ChaosToolkitOptions extends ChaosToolkitValues, Server {
  readonly 'dry-run': boolean
  readonly output: string | undefined
  readonly 'fail-on-violation': boolean
  readonly json: boolean
}

/** @throws CommandError if the experiment can't be read, did not complete, or its steady state deviated */
export async function runChaosToolkitFile(
  file: ExperimentText,
  options: ChaosToolkitOptions,
  { out, stderr, env }: Surroundings,
): Promise<void> {
  const experiment = await read(file, options, env)
  for (const warning of experiment.warnings) stderr.write(printable(`${file.path}: warning: ${warning}`) + '\n')
  const journal = await run(experiment, options, { env, log: (text) => stderr.write(`${printable(text)}\n`) })
  const { exitCodeOf } = await import('../../experiments/chaostoolkit/index.ts')
  if (options.json) out.json(journal)
  else {
    const isGood = exitCodeOf(journal) === 0
    out.line(
      `${out.paint('bold', printable(experiment.title))}: ${out.paint(isGood ? 'green' : 'red', wordOf(journal))}`,
    )
    for (const what of journal.faultline.reverted) out.line(printable(`  reverted: ${what}`))
    for (const what of journal.faultline.left) out.line(printable(`  left: ${what}`))
  }
  if (options.output !== undefined)
    await keep(journal, options.output, options.json ? () => {} : (line) => out.line(line))
  if (exitCodeOf(journal) === 0) return
  if (!options['fail-on-violation'] && journal.status === 'completed') return
  throw new CommandError(`${wordOf(journal)}: ${experiment.title}`, { exitCode: EXIT_DEVIATED })
}

/** Whoever says one of these of a file of ours is told so. @throws UsageError */
export function refuseChaosToolkitFlags(values: ChaosToolkitValues): void {
  for (const name of Object.keys(chaosToolkitFlags) as (keyof ChaosToolkitValues)[]) {
    if (isGiven(values[name])) throw new UsageError(`--${name}: expected an experiment of Chaos Toolkit beside it`)
  }
}

/** Flags that an experiment of Chaos Toolkit has no use for. @throws UsageError */
export function refuseOtherFlags(values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (isGiven(value)) throw new UsageError(`--${name}: expected an experiment of Faultline's own format beside it`)
  }
}

function isGiven(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
}

async function read(
  { path, text }: ExperimentText,
  options: ChaosToolkitOptions,
  env: Surroundings['env'],
): Promise<ChaosExperiment> {
  const { readChaosToolkit } = await import('../../experiments/chaostoolkit/index.ts')
  try {
    return readChaosToolkit(text, {
      file: path,
      environment: env,
      variables: Object.fromEntries(options.var),
      allowShell: options['allow-shell'],
    })
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    throw new CommandError(error.message, { exitCode: EXIT_DEVIATED, cause: error })
  }
}

async function run(
  experiment: ChaosExperiment,
  options: ChaosToolkitOptions,
  { env, log }: { readonly env: Surroundings['env']; readonly log: (message: string) => void },
): Promise<ChaosJournal> {
  const { runChaosToolkit } = await import('../../experiments/chaostoolkit/index.ts')
  const { V1Client } = await import('../../admin/client/v1-client.ts')
  const { abortOnSignals } = await import('../../experiments/runner/signals.ts')
  const { url, token } = await serverFor(experiment, options, env)
  const client = new V1Client(url, token === undefined ? {} : { token })
  const frequencyMs = options['hypothesis-frequency']
  const hypothesis = options['hypothesis-strategy']
  const rollbacks = options['rollback-strategy']
  using signals = abortOnSignals()
  try {
    return await runChaosToolkit(experiment, {
      target: client,
      allowShell: options['allow-shell'],
      signal: signals.signal,
      log,
      ...(options.compat !== undefined && { compat: options.compat }),
      ...(options['dry-run'] && { dry: 'activities' as const }),
      strategy: {
        failFast: options['fail-fast'],
        ...(hypothesis !== undefined && { hypothesis }),
        ...(rollbacks !== undefined && { rollbacks }),
        ...(frequencyMs !== undefined && { frequencySeconds: frequencyMs / 1000 }),
      },
    })
  } finally {
    await client.close()
  }
}

/** The server that was typed, or that the file names, or the usual one. */
async function serverFor(
  experiment: ChaosExperiment,
  options: Server,
  env: Surroundings['env'],
): Promise<{ readonly url: string; readonly token?: string }> {
  const { toxiproxyUrlOf } = await import('../../experiments/chaostoolkit/index.ts')
  const usual = await serverOf(options, env)
  const named = options.host === undefined ? toxiproxyUrlOf(experiment) : undefined
  if (named === undefined || named === usual.url) return usual
  // A token of another server is not for one that a file names, unless somebody says so.
  return { url: named, ...(options['token-file'] !== undefined && usual.token !== undefined && { token: usual.token }) }
}

function wordOf({ status, deviated }: ChaosJournal): string {
  return deviated ? `${status}, deviated` : status
}

async function keep(journal: ChaosJournal, folder: string, say: (line: string) => void): Promise<void> {
  const { replaceFile } = await import('../../admin/state/state-file.ts')
  const { makeFolder } = await import('../../experiments/results/folder.ts')
  const { RESULT_MODE } = await import('../../experiments/results/write.ts')
  await makeFolder(folder)
  const path = join(folder, 'journal.json')
  await replaceFile(path, `${JSON.stringify(journal, null, 2)}\n`, RESULT_MODE)
  say(`Wrote ${path}`)
}
