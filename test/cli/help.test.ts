// Help: for the program, for a group, for each command, and always made from the table of commands.
import { describe, expect, test } from 'vitest'
import { commands } from '../../cli/commands/registry.ts'
import { faultline } from './support.ts'

async function help(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await faultline(args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

test.each([['help'], ['--help'], ['-h']])('faultline %s lists all commands', async (...args) => {
  const text = await help(...args)
  for (const { name, describe: description } of commands) {
    expect(text).toContain(`  ${name} `)
    expect(text).toContain(description)
  }
})

test.each([
  ['help', 'toxic'],
  ['toxic', '--help'],
  ['toxic', '-h'],
])('faultline %s %s lists its commands', async (...args) => {
  const text = await help(...args)
  expect(text.match(/toxic (?:add|update|remove) PROXY/g)).toHaveLength(3)
})

describe.concurrent('every command', () => {
  test.each(commands.map((command) => [command.name, command] as const))('%s has help', async (name, command) => {
    const text = await help(...name.split(' '), '--help')
    expect(text).toMatch(new RegExp(`^Usage: faultline ${name} `))
    expect(text).toContain(`Example:\n  faultline ${name}`)
    for (const [flag, { describe: description, placeholder, short, remark }] of Object.entries(command.flags)) {
      const spelling = `${short === undefined ? '   ' : `-${short},`} --${flag}${placeholder === undefined ? '' : ` ${placeholder}`}`
      const line = text.split('\n').find((candidate) => candidate.trimStart().startsWith(spelling.trimStart()))
      expect(line).toContain(description)
      if (remark !== undefined) expect(line).toContain(remark)
    }
    expect(text).toBe(await help('help', ...name.split(' ')))
  })

  test.each(commands.map((command) => [command.name, command] as const))(
    '%s has an example that is right',
    async (_name, command) => {
      // --help after it: the example is read, not run.
      await help(...command.example.split(' '), '--help')
    },
  )
})

test('help wins over whatever else is missing', async () => {
  expect(await help('create', '-h')).toContain('Usage: faultline create NAME --listen ADDR --upstream ADDR [flags]')
})

test('toxic add explains the types and their attributes, from the registry of faults', async () => {
  const text = await help('toxic', 'add', '--help')
  for (const type of ['latency', 'bandwidth', 'slow_close', 'timeout', 'reset_peer', 'slicer', 'limit_data', 'noop']) {
    expect(text).toContain(`\n  ${type}: `)
  }
  expect(text).toMatch(/rate= .*KB\/s.*default 0/)
})
