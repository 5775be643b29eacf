// `faultline run`: runs an experiment, a scenario or a suite against a server, and says what came of it.
import { join } from 'node:path'
import type { Journal } from '../../experiments/model.ts'
import type { ServerTarget } from '../../experiments/runner/server-target.ts'
import { MIN_TIME_SCALE, scaleTime } from '../../experiments/runner/time-scale.ts'
import { isFaultlineError, systemCode } from '../../proxy/errors.ts'
import { apiFlags, serverOf } from '../api.ts'
import { optionalArgument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { CommandError, UsageError } from '../errors.ts'
import {
  chaosToolkitFlags,
  refuseChaosToolkitFlags,
  refuseOtherFlags,
  runChaosToolkitFile,
} from '../experiments/chaostoolkit.ts'
import { assignment, choose, webhook, type Chosen } from '../experiments/chosen.ts'
import { exitCodes, failureOf, showVerdicts } from '../experiments/ending.ts'
import { experimentFormats, readExperimentText } from '../experiments/format.ts'
import { METRIC_NAMES_HELP, metricNames, type MetricNames } from '../experiments/metric-names.ts'
import { oneOf, optional, readNumber, repeatable, text, toggle, toggleOff, withDefault, type Reader } from '../flags.ts'
import type { Output, TextStream } from '../output.ts'

const timeScale: Reader<number> = {
  placeholder: 'FACTOR',
  expected: `a number from ${MIN_TIME_SCALE} to 1`,
  read: (given) => {
    const value = readNumber(given)
    return value !== undefined && value >= MIN_TIME_SCALE && value <= 1 ? value : undefined
  },
}

const flags = {
  format: optional(oneOf('FORMAT', experimentFormats), {
    describe: "Of the file: Faultline's own, or that of Chaos Toolkit.",
    remark: 'default as its fields say',
  }),
  scenario: optional(text('NAME'), { describe: 'A scenario of the library, instead of a file.' }),
  suite: optional(text('NAME'), { describe: 'All scenarios of a suite, one after another.' }),
  target: optional(text('URL'), { describe: 'The service that has to stay well: the parameter TARGET.' }),
  set: repeatable(assignment, { describe: 'A parameter of a scenario, or a variable of a file.' }),
  environment: optional(oneOf('ENV', ['development', 'staging', 'production']), {
    describe: 'Where it runs, if the file does not say: sets thresholds and guards.',
  }),
  'scale-time': withDefault(timeScale, 1, {
    describe: 'A rehearsal: baseline and steps take this share of their time.',
  }),
  'dry-run': toggle({ describe: 'Shows what every step would do, and touches nothing.' }),
  'yes-i-mean-production': toggle({ describe: 'Lets an experiment in production act.' }),
  output: optional(text('DIR'), { describe: 'Writes results and reports there.' }),
  history: optional(text('DIR'), { describe: 'Keeps the results there, beside those of earlier runs, for "trend".' }),
  push: optional(text('URL'), { describe: 'Brings the figures to a Pushgateway.' }),
  'metric-names': withDefault(oneOf('NAMES', metricNames), 'lint', { describe: METRIC_NAMES_HELP }),
  notify: repeatable(webhook, {
    describe: 'A webhook that is told when the run starts, breaches a limit of safety, or finishes.',
  }),
  'fail-on-violation': toggleOff({ describe: 'An SLO that is not kept is a failure.' }),
  verbose: toggle({ describe: 'Also shows probes that fail, and the machine once a second.' }),
  host: apiFlags.host,
  json: toggle({ describe: 'Prints the journal as JSON; of a suite, an array.' }),
  'token-file': apiFlags['token-file'],
  ...chaosToolkitFlags,
}

export const runCommand = defineCommand({
  name: 'run',
  describe: 'Runs an experiment: breaks things on a timeline, measures, and gives a verdict.',
  arguments: { file: optionalArgument('an experiment file, in YAML or JSON', { choices: 'files' }) },
  flags,
  example: 'run --scenario light-network-latency --target http://localhost:8080 --set PROXY=payments',
  notes: async () =>
    `Exit code 0 if all is kept, ${exitCodes.violated} if an SLO is not, ${exitCodes.inconclusive} if nothing can be said, ` +
    `${exitCodes.error} if it could not be carried out or was stopped,\n${exitCodes['cleanup-incomplete']} if something ` +
    'could not be undone. Of an experiment of Chaos Toolkit 0 or 1, as there.',
  async run({ file: path, scenario, suite, target, set, environment, format, ...given }, surroundings) {
    const { out, stderr, env } = surroundings
    const isFile = path !== undefined && scenario === undefined && suite === undefined
    if (format !== undefined && !isFile) throw new UsageError('--format: expected FILE, and nothing else to run')
    const file = isFile ? await readExperimentText(path, format) : undefined
    if (file?.format === 'chaostoolkit') {
      const { history, push, notify, verbose } = given
      const names = given['metric-names'] === 'lint' ? undefined : given['metric-names']
      const production = given['yes-i-mean-production']
      const scale = given['scale-time'] === 1 ? undefined : given['scale-time']
      refuseOtherFlags({
        target,
        set,
        environment,
        'scale-time': scale,
        'yes-i-mean-production': production,
        history,
        push,
        'metric-names': names,
        notify,
        verbose,
      })
      return runChaosToolkitFile(file, given, surroundings)
    }
    refuseChaosToolkitFlags(given)
    const values = { ...Object.fromEntries(set), ...(target !== undefined && { TARGET: target }) }
    const chosen = await choose({ path, file, scenario, suite, values, runIn: environment, env })
    const runner = await import('../../experiments/runner/server-target.ts')
    const server = new runner.ServerTarget(await serverOf(given, env))
    const options = { ...given, out, stderr, isSuite: suite !== undefined }
    try {
      if (given['dry-run']) await dryRun(chosen, server, options)
      else await runAll(chosen, server, options)
    } finally {
      await server.close()
    }
    return undefined
  },
})

interface RunFlags {
  readonly 'scale-time': number
  readonly 'yes-i-mean-production': boolean
  readonly output: string | undefined
  readonly history: string | undefined
  readonly push: string | undefined
  readonly 'metric-names': MetricNames
  readonly notify: readonly string[]
  readonly 'fail-on-violation': boolean
  readonly verbose: boolean
  readonly json: boolean
  readonly out: Output
  readonly stderr: TextStream
  readonly isSuite: boolean
}

async function dryRun(
  chosen: readonly Chosen[],
  server: ServerTarget,
  { out, json, isSuite, 'scale-time': factor }: RunFlags,
): Promise<void> {
  const { describePlan, planExperiment } = await import('../../experiments/runner/plan.ts')
  const plans = []
  for (const { file } of chosen) {
    const experiment = scaleTime(file.experiment, factor)
    plans.push(await asked(file, () => planExperiment(experiment, server, { isDryRun: true })))
  }
  if (json) return out.json(isSuite ? plans : plans[0])
  for (const plan of plans) for (const line of describePlan(plan)) out.line(line)
}

async function runAll(chosen: readonly Chosen[], server: ServerTarget, options: RunFlags): Promise<void> {
  const { abortOnSignals } = await import('../../experiments/runner/signals.ts')
  const { runExperiment } = await import('../../experiments/runner/run.ts')
  const { Progress } = await import('../experiments/progress.ts')
  const { out, stderr, json, verbose, output, isSuite } = options
  const { DEFAULT_NOTIFICATIONS: on } = await import('../../experiments/file/thresholds.ts')
  const notify = options.notify.map((url) => ({ url, on }))
  await makeFolders(options)
  using signals = abortOnSignals()
  const journals: Journal[] = []
  /** The title of one that was still waiting for its turn. */
  let interrupted: string | undefined
  for (const { file, name } of chosen) {
    if (signals.signal.aborted) break
    const progress = new Progress(stderr, { isVerbose: verbose })
    const result = await asked(file, () =>
      runExperiment(scaleTime(file.experiment, options['scale-time']), server, {
        signal: signals.signal,
        allowProduction: options['yes-i-mean-production'],
        onEvent: progress.onEvent,
        notify,
      }),
    )
      .catch((error: unknown) => {
        if (error !== signals.signal.reason) throw error
        interrupted = file.experiment.title
      })
      .finally(() => progress.end())
    if (!result) break
    const { journal, errors } = result
    journals.push(journal)
    if (errors.length > 0) stderr.write(`${file.locate(errors).message}\n`)
    if (!json) showVerdicts(journal, out)
    const folder = output === undefined || !isSuite ? output : join(output, name ?? journal.id)
    await orFailed('the results were not kept', keep(journal, folder, options))
  }
  if (json && (isSuite || journals.length > 0)) out.json(isSuite ? journals : journals[0])
  const failure = failureOf(journals, !options['fail-on-violation'])
  if (failure) throw failure
  if (interrupted === undefined) return
  const { message } = signals.signal.reason as Error
  throw new CommandError(`aborted: ${interrupted}: ${message} before it began`, { exitCode: exitCodes.aborted })
}

/** Before anything acts: afterwards it would be too late to learn that results can't be kept. */
async function makeFolders({ output, history }: RunFlags): Promise<void> {
  const { makeFolder } = await import('../../experiments/results/folder.ts')
  for (const [flag, folder] of [
    ['--output', output],
    ['--history', history],
  ] as const) {
    if (folder !== undefined) await orFailed(`${flag}: expected a folder that can be written to`, makeFolder(folder))
  }
}

/** @throws CommandError for errors of the system, which begins with what could not be done */
async function orFailed(what: string, work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => {
    if (systemCode(error) === undefined) throw error
    throw new CommandError(`${what}: ${(error as Error).message}`, { exitCode: exitCodes.error, cause: error })
  })
}

async function keep(
  journal: Journal,
  folder: string | undefined,
  { out, json, history, push, 'metric-names': names }: RunFlags,
): Promise<void> {
  const { addToHistory, pushMetrics, writeResults } = await import('../../experiments/results/index.ts')
  if (folder !== undefined) {
    const written = await writeResults(journal, folder, undefined, { metricNames: names })
    if (!json) for (const { path } of written) out.line(`Wrote ${path}`)
  }
  if (history !== undefined) {
    const path = await addToHistory(journal, history)
    if (!json) out.line(`Kept ${path}`)
  }
  if (push === undefined) return
  await pushMetrics(journal, push, { metricNames: names }).catch((error: unknown) => {
    throw new CommandError((error as Error).message, { exitCode: exitCodes.error, cause: error })
  })
}

/** What is refused has its place in the file; a server that does not answer is the tool's trouble. */
async function asked<Result>(file: Chosen['file'], work: () => Promise<Result>): Promise<Result> {
  const { isAdminClientError } = await import('../../admin/client.ts')
  try {
    return await work()
  } catch (error) {
    if (isFaultlineError(error) && 'errors' in error) {
      const errors = error.errors as Parameters<typeof file.locate>[0]
      const located = file.locate(errors)
      throw new CommandError(located.message, { exitCode: exitCodes.error, cause: located })
    }
    if (isFaultlineError(error)) throw new CommandError(error.message, { exitCode: exitCodes.error, cause: error })
    if (isAdminClientError(error)) throw new CommandError(error.message, { exitCode: exitCodes.error, cause: error })
    throw error
  }
}
