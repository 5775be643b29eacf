// `faultline report`: makes reports of a run from its results.json, after the fact. Asks no server.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ResultFormat } from '../../experiments/results/index.ts'
import type { Journal } from '../../experiments/model.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { argument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { CommandError, UsageError } from '../errors.ts'
import { showVerdicts } from '../experiments/ending.ts'
import { METRIC_NAMES_HELP, metricNames } from '../experiments/metric-names.ts'
import { oneOf, optional, repeatable, text, withDefault } from '../flags.ts'

/** Named here, as the code that writes them loads slowly. */
const formats = ['json', 'markdown', 'html', 'junit', 'prometheus'] as const satisfies readonly ResultFormat[]

export const report = defineCommand({
  name: 'report',
  describe: 'Makes reports of a run from its results, or shows its verdicts.',
  arguments: { results: argument('results.json of a run, or the folder that it is in', { choices: 'files' }) },
  flags: {
    format: repeatable(oneOf('FORMAT', formats), {
      describe: `What to make: ${formats.join(', ')}. Without --output one, which is printed; with it, default all.`,
    }),
    'metric-names': withDefault(oneOf('NAMES', metricNames), 'lint', { describe: METRIC_NAMES_HELP }),
    output: optional(text('DIR'), { describe: 'Writes there, instead of printing.' }),
  },
  example: 'report results --format markdown',
  notes: async () => 'Exit code 0 whatever the verdicts are: they were judged by the run.',
  async run({ results, format, output, 'metric-names': names }, { out }) {
    if (output === undefined && format.length > 1) {
      throw new UsageError(`--format: expected one without --output, got ${format.join(', ')}`)
    }
    const journal = await readResults(results)
    const { writeResults } = await import('../../experiments/results/index.ts')
    if (output !== undefined) {
      const wanted = format.length > 0 ? format : formats
      const written = await writeResults(journal, output, wanted, { metricNames: names })
      for (const { path } of written) out.line(`Wrote ${path}`)
      return
    }
    const [wanted] = format
    if (wanted === undefined) return showVerdicts(journal, out)
    const { formatOf } = await import('../../experiments/results/formats.ts')
    out.write(await formatOf(wanted).render(journal, { metricNames: names }))
  },
})

async function readResults(path: string): Promise<Journal> {
  const { readJournal } = await import('../../experiments/results/index.ts')
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  try {
    return await readJournal(isFolder ? join(path, 'results.json') : path)
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    throw new CommandError(error.message, { cause: error })
  }
}
