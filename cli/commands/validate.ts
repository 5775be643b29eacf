// `faultline validate`: whether a server would take a configuration, or "run" an experiment; and if not, where and why.
import type { ConfigProblem } from '../../admin/config/config-error.ts'
import { plural } from '../../experiments/results/figures.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { defineCommand, type FlagValues, type Surroundings } from '../command.ts'
import { CommandError, UsageError } from '../errors.ts'
import { chaosToolkitFlags } from '../experiments/chaostoolkit.ts'
import { checkChaosToolkit, checkExperiment } from '../experiments/check.ts'
import { assignment, wrongParameter } from '../experiments/chosen.ts'
import { recogniseFile } from '../experiments/format.ts'
import { oneOf, optional, repeatable, text, toggle } from '../flags.ts'
import { printable, type Output } from '../output.ts'

const flags = {
  files: optional(text('DIR'), { describe: 'The directory of files that faults may send, as for serve.' }),
  set: repeatable(assignment, { describe: 'Of an experiment: a variable of the file, or a parameter of a scenario.' }),
  environment: optional(oneOf('ENV', ['development', 'staging', 'production']), {
    describe: 'Where an experiment is to run, if the file does not say.',
  }),
  var: chaosToolkitFlags.var,
  'allow-shell': chaosToolkitFlags['allow-shell'],
  json: toggle({ describe: 'Prints JSON.' }),
}

type Flags = FlagValues<typeof flags>
type Kind = Awaited<ReturnType<typeof recogniseFile>>

const kinds = {
  configuration: { word: 'configuration', article: 'a configuration', flags: ['files'] },
  faultline: { word: 'experiment', article: "an experiment of Faultline's own format", flags: ['set', 'environment'] },
  chaostoolkit: {
    word: 'chaostoolkit',
    article: 'an experiment of Chaos Toolkit',
    flags: ['var', 'allow-shell'],
  },
} as const satisfies Record<Kind, { word: string; article: string; flags: readonly (keyof Flags)[] }>

/** What a file that is right comes to: for people, for programs, and what is ignored of it. */
interface Checked {
  readonly summary: string
  readonly fields: object
  readonly warnings: readonly string[]
}

export const validate = defineCommand({
  name: 'validate',
  describe: 'Checks a configuration or experiment file, without starting anything.',
  arguments: { file: 'a configuration, an experiment, or an experiment of Chaos Toolkit, in YAML or JSON' },
  flags,
  example: 'validate faultline.yaml',
  notes: async () =>
    'What a file is is told by its fields. Exit code 0 if a server would take it, or "run" would; 1 if not: each mistake ' +
    'is a line with line and column.\nWhat only a server knows, such as its proxies, "run --dry-run" checks.',
  async run({ file, json, ...given }, { out, env }) {
    let kind: Kind = 'configuration'
    try {
      const { readText } = await import('../../admin/config/load.ts')
      const text = await readText(file)
      kind = await recogniseFile(file, text)
      refuseOtherFlags(kind, given)
      const { summary, fields, warnings } = await check(kind, file, text, given, env)
      if (json) return out.json({ valid: true, kind: kinds[kind].word, problems: [], warnings, ...fields })
      for (const warning of warnings) out.line(printable(`${file}: warning: ${warning}`))
      out.line(`${printable(file)} is valid: ${summary}`)
    } catch (error) {
      if (!isFaultlineError(error)) throw error
      throw report(out, file, error, { json, kind })
    }
  },
})

function check(kind: Kind, path: string, text: string, given: Omit<Flags, 'json'>, env: Surroundings['env']) {
  switch (kind) {
    case 'configuration':
      return checkConfiguration(path, text, given.files, env)
    case 'faultline':
      return checkOwn(path, text, given, env)
    default: {
      const options = { variables: Object.fromEntries(given.var), allowShell: given['allow-shell'], env }
      return checkChaosToolkit({ path, text, format: kind }, options).then(withTitle)
    }
  }
}

async function checkConfiguration(
  path: string,
  text: string,
  filesDirectory: string | undefined,
  environment: Surroundings['env'],
): Promise<Checked> {
  const { parseConfig } = await import('../../admin/config/load.ts')
  const { proxies, warnings } = await parseConfig(path, text, { environment, filesDirectory })
  const faults = proxies.flatMap((proxy) => proxy.faults ?? []).length
  const summary = `${plural(proxies.length, 'proxy', 'proxies')}, ${plural(faults, 'fault')}`
  return { summary, warnings, fields: { proxies: proxies.length, faults } }
}

async function checkOwn(
  path: string,
  text: string,
  { set, environment: runIn }: Pick<Flags, 'set' | 'environment'>,
  env: Surroundings['env'],
): Promise<Checked> {
  try {
    const values = Object.fromEntries(set)
    return withTitle(await checkExperiment({ path, text, format: 'faultline' }, { values, runIn, env }))
  } catch (error) {
    throw isFaultlineError(error) && !('problems' in error) ? wrongParameter(error) : error
  }
}

function withTitle({ title, summary, warnings }: Awaited<ReturnType<typeof checkExperiment>>): Checked {
  return { summary, warnings, fields: { title } }
}

/** @throws UsageError for a flag that is for files of another kind */
function refuseOtherFlags(kind: Kind, given: Omit<Flags, 'json'>): void {
  for (const { article, flags: names } of Object.values(kinds)) {
    if (article === kinds[kind].article) continue
    for (const name of names) {
      const value = given[name]
      const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== false
      if (isGiven) throw new UsageError(`--${name}: expected ${article}, and the file is ${kinds[kind].article}`)
    }
  }
}

function report(
  out: Output,
  file: string,
  error: Error,
  { json, kind }: { readonly json: boolean; readonly kind: Kind },
): CommandError {
  const problems = problemsOf(error)
  if (problems.length === 0) return new CommandError(error.message, { cause: error })
  if (json) out.json({ valid: false, kind: kinds[kind].word, problems, warnings: [] })
  else {
    for (const { file: path, line, column, message } of problems) {
      out.line(`${printable(path)}:${line}:${column}: ${out.paint('red', 'error')}: ${printable(message)}`)
    }
  }
  return new CommandError(`${file} is not valid: ${plural(problems.length, 'problem')}`, { cause: error })
}

/** None if the file could not even be read. */
function problemsOf(error: Error): readonly ConfigProblem[] {
  return 'problems' in error ? (error.problems as readonly ConfigProblem[]) : []
}
