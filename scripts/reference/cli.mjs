// docs/reference/cli.md: the help of every command.
import { block, GENERATED, page } from './markdown.mjs'

export async function cliPage(load) {
  const [{ commands }, { overview, commandHelp }] = await Promise.all([load('cli/commands/registry'), load('cli/help')])
  const all = []
  for (const command of commands) all.push(...((await command.expand?.()) ?? [command]))
  const shown = all.filter(({ kind }) => kind !== 'hidden')
  const helps = await Promise.all(
    shown.map(async (command) => [`## ${command.name}`, block('text', await commandHelp(command))]),
  )
  return page(
    '# Reference: command line',
    GENERATED,
    '[The guide](../cli.md) shows these commands at work. Exit codes: 0; 1 if it failed; 2 if it was typed wrongly.',
    block('text', overview(commands)),
    helps.flat(),
  )
}
