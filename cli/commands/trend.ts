// `faultline trend`: compares the runs that a folder of history has. Asks no server.
import type { Trend } from '../../experiments/results/index.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { argument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { CommandError } from '../errors.ts'
import { integer, optional, text, toggle, withDefault } from '../flags.ts'
import { unknownWord } from '../suggest.ts'

export const trend = defineCommand({
  name: 'trend',
  describe: 'Compares the latest runs of each experiment in a folder of history, as Markdown.',
  arguments: { folder: argument('a folder that "run --history" keeps', { choices: 'files' }) },
  flags: {
    title: optional(text('TITLE'), { describe: 'Of the experiment of this title alone.' }),
    last: withDefault(integer(1, 1000), 10, { describe: 'So many runs, the latest.' }),
    json: toggle({ describe: 'Prints JSON.' }),
  },
  example: 'trend history --last 5',
  async run({ folder, title, last, json }, { out }) {
    const trends = await trendsOf(folder, title, last)
    if (json) return out.json(trends.map(withoutSeconds))
    const { renderTrend } = await import('../../experiments/results/index.ts')
    for (const [index, each] of trends.entries()) {
      if (index > 0) out.line()
      out.write(renderTrend(each))
    }
    return undefined
  },
})

async function trendsOf(folder: string, title: string | undefined, last: number): Promise<readonly Trend[]> {
  const { historyTitles, readHistory, trendOf } = await import('../../experiments/results/index.ts')
  try {
    const titles = await historyTitles(folder)
    if (titles.length === 0) throw new CommandError(`FOLDER: expected a folder of history, got no run in ${folder}`)
    if (title !== undefined && !titles.includes(title)) {
      throw unknownWord(`--title: no run of ${JSON.stringify(title)} in ${folder}`, title, titles)
    }
    const wanted = title === undefined ? titles : [title]
    const histories = await Promise.all(wanted.map((each) => readHistory(folder, each, last)))
    // Journals that somebody has put there by hand are under other names.
    const runs = histories.filter((history) => history.length > 0)
    if (runs.length === 0)
      throw new CommandError(`FOLDER: expected a folder of history, as by --history, got ${folder}`)
    return runs.map(trendOf)
  } catch (error) {
    if (!isFaultlineError(error)) throw error
    throw new CommandError(error.message, { cause: error })
  }
}

/** Of each run what tells it apart; its whole journal is in its file. */
function withoutSeconds({ title, runs, rows }: Trend): object {
  return { title, runs: runs.map(({ id, startedAt, outcome }) => ({ id, startedAt, outcome })), rows }
}
