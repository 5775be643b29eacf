// `faultline scenarios`: the library of scenarios and suites. Asks no server.
import type { Scenario } from '../../experiments/scenarios/index.ts'
import { optionalArgument, type Choices } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { UsageError } from '../errors.ts'
import { toggle } from '../flags.ts'
import type { Cell, Output } from '../output.ts'
import { unknownWord } from '../suggest.ts'

const names: Choices = async () => {
  const { scenarios: all } = await import('../../experiments/scenarios/index.ts')
  return [...all.keys()]
}

export const scenarios = defineCommand({
  name: 'scenarios',
  describe: 'Shows the scenarios and suites that are ready to run, or one scenario with its parameters.',
  arguments: { scenario: optionalArgument('a scenario; default all', { choices: names }) },
  flags: {
    yaml: toggle({ describe: 'Prints the scenario as a file, to begin with.' }),
    json: toggle({ describe: 'Prints JSON.' }),
  },
  example: 'scenarios light-network-latency --yaml',
  async run({ scenario: name, yaml, json }, { out }) {
    const { scenarios: all, suites } = await import('../../experiments/scenarios/index.ts')
    if (name === undefined) {
      if (yaml) throw new UsageError('SCENARIO: missing, expected the one that --yaml is to print')
      if (json) return out.json({ scenarios: [...all.values()], suites: [...suites.values()] })
      const rows = [...all.values()].map((scenario): Cell[] => {
        const { category, severity, complexity, title } = scenario
        return [{ text: scenario.name, style: 'cyan' }, category, severity, complexity, title]
      })
      out.table([['SCENARIO', 'DISTURBS', 'SEVERITY', 'COMPLEXITY', 'TITLE'], ...rows])
      out.line()
      const suiteRows = [...suites.values()].map((suite): Cell[] => {
        return [{ text: suite.name, style: 'cyan' }, String(suite.scenarios.length), suite.description]
      })
      out.table([['SUITE', 'SCENARIOS', 'WHAT IT IS'], ...suiteRows])
      return undefined
    }
    const scenario = all.get(name)
    if (!scenario) throw unknownWord(`SCENARIO: unknown scenario ${JSON.stringify(name)}`, name, [...all.keys()])
    if (json) return out.json(scenario)
    if (yaml) return out.write(scenario.text)
    return show(scenario, out)
  },
})

function show(scenario: Scenario, out: Output): void {
  const { title, description, category, severity, complexity, parameters } = scenario
  for (const line of [
    title,
    '',
    description,
    `Disturbs: ${category}. ${severity}, ${complexity}.`,
    '',
    'Parameters:',
  ]) {
    out.line(line)
  }
  const rows = Object.entries(parameters).map(([name, { description: what, type = 'text', ...bounds }]): Cell[] => {
    const usual = bounds.default === undefined ? 'required' : `default ${bounds.default}`
    return [{ text: name, style: 'cyan' }, type, usual, what]
  })
  out.table(rows, '  ')
}
