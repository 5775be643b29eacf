// `faultline complete`: asked by the scripts of `faultline completion` whenever Tab is pressed.
import { remainingArguments } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { complete as candidatesOf } from '../completion.ts'
import { FILES } from '../completion-scripts.ts'
import { printable } from '../output.ts'

export const complete = defineCommand({
  name: 'complete',
  kind: 'hidden',
  describe: 'Prints what the last word may become, and what that is, with a tab between.',
  arguments: { words: remainingArguments('a command line; its last word is being typed') },
  flags: {},
  example: 'complete -- proxy a',
  async run({ words }, { out, env, commands }) {
    const candidates = await candidatesOf(commands, words, env)
    if (candidates === 'files') out.line(FILES)
    else for (const { word, describe } of candidates) out.line([printable(word), describe].filter(Boolean).join('\t'))
  },
})
