// `faultline completion`: what a shell sources to complete our command lines.
import { argument } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { scripts, setUp, shells } from '../completion-scripts.ts'
import { oneOf, readText } from '../flags.ts'

const shell = oneOf('SHELL', shells)

export const completion = defineCommand({
  name: 'completion',
  describe: 'Prints what bash, zsh or fish needs to complete command lines.',
  arguments: { shell: argument(`one of ${shells.join(', ')}`, { choices: async () => shells }) },
  flags: {},
  example: 'completion bash',
  notes: async () => ['Set up:', ...shells.map((name) => `  ${name.padEnd(6)}${setUp[name]}`)].join('\n'),
  async run(values, { out }) {
    out.line(scripts[readText(shell, values.shell, 'SHELL')])
  },
})
