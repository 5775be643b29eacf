// `faultline validate`: whether a server would take a configuration file, and if not, where and why.
import type { ConfigProblem } from '../../admin/config/config-error.ts'
import { isFaultlineError } from '../../proxy/errors.ts'
import { defineCommand } from '../command.ts'
import { CommandError } from '../errors.ts'
import { optional, text, toggle } from '../flags.ts'
import { printable, type Output } from '../output.ts'

const flags = {
  files: optional(text('DIR'), { describe: 'The directory of files that faults may send, as for serve.' }),
  json: toggle({ describe: 'Prints JSON.' }),
}

export const validate = defineCommand({
  name: 'validate',
  describe: 'Checks a configuration file, without starting anything.',
  arguments: { file: 'a configuration file, in YAML or JSON' },
  flags,
  example: 'validate faultline.yaml',
  notes: async () => 'Exit code 0 if a server would take it; 1 if not: each mistake is a line with line and column.',
  async run({ file, files, json }, { out, env }) {
    const { loadConfig } = await import('../../admin/config/load.ts')
    try {
      const { proxies, warnings } = await loadConfig(file, { environment: env, filesDirectory: files })
      const faults = proxies.flatMap((proxy) => proxy.faults ?? []).length
      if (json) return out.json({ valid: true, problems: [], warnings, proxies: proxies.length, faults })
      for (const warning of warnings) out.line(printable(`${file}: warning: ${warning}`))
      out.line(
        `${printable(file)} is valid: ${count(proxies.length, 'proxy', 'proxies')}, ${count(faults, 'fault', 'faults')}`,
      )
    } catch (error) {
      if (!isFaultlineError(error)) throw error
      throw report(out, file, error, json)
    }
  },
})

function report(out: Output, file: string, error: Error, json: boolean): CommandError {
  const problems = problemsOf(error)
  if (problems.length === 0) return new CommandError(error.message, { cause: error })
  if (json) out.json({ valid: false, problems, warnings: [] })
  else {
    for (const { file: path, line, column, message } of problems) {
      out.line(`${printable(path)}:${line}:${column}: ${out.paint('red', 'error')}: ${printable(message)}`)
    }
  }
  return new CommandError(`${file} is not valid: ${count(problems.length, 'problem', 'problems')}`, { cause: error })
}

/** None if the file could not even be read. */
function problemsOf(error: Error): readonly ConfigProblem[] {
  return 'problems' in error ? (error.problems as readonly ConfigProblem[]) : []
}

function count(number: number, one: string, many: string): string {
  return `${number} ${number === 1 ? one : many}`
}
