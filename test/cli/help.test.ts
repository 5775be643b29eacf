// Help: for the program, for a group, for each command, and always made from the table of commands.
import { describe, expect, test } from 'vitest'
import { commands } from '../../cli/commands/registry.ts'
import { inProcess } from './support.ts'

async function help(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await inProcess(args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

test.each([['help'], ['--help'], ['-h']])('faultline %s lists all commands', async (...args) => {
  const text = await help(...args)
  for (const { name, describe: description, kind } of commands) {
    expect(text.includes(`  ${name} `)).toBe(kind !== 'hidden')
    expect(text.includes(description)).toBe(kind !== 'hidden')
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

describe('every command', () => {
  // One that stands for others has no help of its own; theirs is tested beside what they do.
  const own = commands.filter(({ expand }) => !expand)

  test.each(own.map((command) => [command.name, command] as const))('%s has help', async (name, command) => {
    const text = await help(...name.split(' '), '--help')
    expect(text).toMatch(new RegExp(`^Usage: faultline ${name} `))
    expect(text).toContain(`Example:\n  faultline ${name}`)
    for (const [flag, { describe: description, placeholder, short, remark }] of Object.entries(command.flags)) {
      const spelling = `${short === undefined ? '   ' : `-${short},`} --${flag}${placeholder === undefined ? '' : ` ${placeholder}`}`
      const line = text.split('\n').find((candidate) => candidate.trimStart().startsWith(spelling.trimStart()))
      expect(line).toContain(description)
      if (remark !== undefined) expect(line).toContain(remark)
    }
    for (const argument of Object.keys(command.arguments)) expect(text).toMatch(`\n  ${argument.toUpperCase()}  `)
    expect(text).toBe(await help('help', ...name.split(' ')))
  })

  test.each(own.map((command) => [command.name, command] as const))(
    '%s has an example that is right',
    async (name, command) => {
      // With --help in it the example is read, not run.
      const words = command.example.split(' ')
      await help(...words.slice(0, name.split(' ').length), '--help', ...words.slice(name.split(' ').length))
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
