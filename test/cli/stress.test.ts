// `faultline stress`: a command for each type of stressors, with flags made of its schema; against a real server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { commands } from '../../cli/commands/registry.ts'
import { readCommandLine, type Command } from '../../cli/command.ts'
import { complete } from '../../cli/completion.ts'
import { attributeFlags } from '../../cli/schema-flags.ts'
import { stressCommands } from '../../cli/stress-commands.ts'
import { sizeText } from '../../cli/stress-views.ts'
import { findStressorDefinition, stressorTypes } from '../../resource-stressors/index.ts'
import { MIB } from '../support/stressors.ts'
import { inProcess, type Ended } from './support.ts'

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer({ port: 0 })
})
afterAll(() => server.close())

function run(...args: string[]): Promise<Ended> {
  return inProcess(args, { FAULTLINE_URL: server.url })
}

/** What a command that must succeed printed. */
async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function failed(exitCode: number, ...args: string[]): Promise<string> {
  const { code, stderr } = await run(...args)
  expect(code).toBe(exitCode)
  return stderr
}

/** Next to nothing, for the sake of the other tests. */
const idle = ['stress', 'cpu', '--load', '1', '--workers', '1']

describe('what is started', () => {
  test('is listed, and stopped by name', async () => {
    expect(await printed(...idle, '--name', 'little', '--ttl', '10m')).toBe(
      'Started little (cpu): workers=1 loadPercent=1 cpuCores=0.01; ends in 10 min\n',
    )
    const [head, row = ''] = (await printed('stress', 'list')).split('\n')
    expect(head).toMatch(/^ID +NAME +TYPE +STATE +ENDS +ASKED FOR +ACHIEVED$/)
    expect(row).toMatch(/^s1 +little +cpu +running +in 10 min +workers=1 loadPercent=1 cpuCores=0.01 +/)
    expect(JSON.parse(await printed('stress', 'list', '--json'))).toMatchObject([{ name: 'little', ttlMs: 600_000 }])
    expect(await completed('stress', 'stop', '')).toEqual(['little'])
    expect(await printed('stress', 'stop', 'little')).toBe('Stopped little\n')
    expect(await printed('stress', 'list')).toContain('There are no stressors.')
    expect(await failed(1, 'stress', 'stop', 'little')).toContain('there is no stressor with the id or name "little"')
  })

  test('with --wait is followed to its end', async () => {
    const lines = (await printed(...idle, '--name', 'waited', '--ttl', '1200ms', '--wait')).trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(2)
    expect(lines[1]).toMatch(/^waited: workers 1 of 1, loadPercent \S+ of 1, cpuCores \S+ of 0.01, average/)
    expect(lines.at(-1)).toMatch(/^waited has ended \(expired\): workers 1 of 1, /)
  })

  test('with --wait fails if it ends before its time', async () => {
    const waiting = run(...idle, '--name', 'killed', '--wait', '--json')
    await expect.poll(() => server.stressors.find('killed')?.state, { timeout: 10_000 }).toBe('running')
    process.kill(server.stressors.find('killed')!.pid!, 'SIGKILL')
    const message = 'killed has ended before its time: died: its process ended with SIGKILL'
    expect(await waiting).toMatchObject({ code: 1, stdout: '', stderr: `faultline: ${message}\n` })
  })

  test('is counted by stop and reset', async () => {
    await server.stressors.start({ type: 'cpu', attributes: { load: 1, workers: 1 } })
    expect(await printed('reset')).toBe('Reset: 0 proxies enabled, without faults; 1 stressor ended\n')
    await server.stressors.start({ type: 'memory', attributes: { bytes: MIB } })
    expect(await printed('stop')).toBe(
      'Stopped: no fault acts, and none can be added until "faultline resume"; 1 stressor ended\n',
    )
    expect(await failed(1, ...idle)).toContain('the emergency stop is on: no stressor can act')
    await printed('resume')
    expect(await printed('stress', 'stop', '--all')).toBe('There are no stressors.\n')
  })
})

test('a dry run says what would be, with notes, and starts nothing', async () => {
  const text = await printed('stress', 'cpu', '--workers', '2', '--cores', '0', '--dry-run', '--ramp-up', '5s')
  expect(text).toMatch(
    /^Would start cpu-\d+ \(cpu\): workers=2 loadPercent=100 cpuCores=2; ends in 60 s\nNote: 2 cores/,
  )
  const memory = JSON.parse(await printed('stress', 'memory', '--bytes', '16MiB', '--dry-run', '--json'))
  expect(memory).toMatchObject({ state: 'planned', requested: { bytes: 16 * MIB } })
  expect(server.stressors.list).toEqual([])
})

test.each([
  [[...idle.slice(0, 2), '--laod', '5'], 'unknown flag --laod (did you mean "--load"?)'],
  [['stress', 'cpuu'], 'unknown command "stress cpuu" (did you mean "stress cpu"?)'],
  [['stress'], 'stress: missing a command, expected one of stress cpu, stress memory, '],
  [['stress', 'cpu', '--load', 'all'], '--load: expected a number, got "all"'],
  [['stress', 'cpu', '--workers', 'many'], '--workers: expected an integer ≥ 1 or "all", got "many"'],
  [['stress', 'cpu', '--cores', '0,x'], '--cores: expected an integer from'],
  [['stress', 'cpu', '--ttl', '30'], '--ttl: expected a time such as 500ms, 30s, 5m or 1h, got "30"'],
  [['stress', 'memory', '--bytes', '1Mb'], '--bytes: expected a size such as 512MiB or 1GB, or a number of bytes'],
  [['stress', 'cpu', '--wait', '--dry-run'], '--wait: expected nothing beside --dry-run, which starts nothing'],
  [['stress', 'stop'], 'STRESSOR: expected the id or name of one, or --all'],
  [['stress', 'stop', 'x', '--all'], 'STRESSOR: expected the id or name of one, or --all'],
  [['stress', 'types', 'memry'], 'TYPE: unknown stressor "memry" (did you mean "memory"?)'],
  // In the words of the server.
  [['stress', 'cpu', '--load', '200'], 'attributes.load: expected a number from 0 to 100, got 200'],
  [
    ['stress', 'memory'],
    'attributes.bytes: expected bytes, percent, leaveFreeBytes or leakBytesPerSecond, got nothing',
  ],
])('%j is a usage error', async (args, message) => {
  expect(await failed(2, ...args)).toContain(`faultline: ${message}`)
  expect(server.stressors.list).toEqual([])
})

// ---- flags from schemas ----------------------------------------------------------------------------------------------

const all = stressCommands()

function commandOf(type: string): Command {
  return all.find(({ name }) => name === `stress ${type}`)!
}

test.each([
  ['cpu', ['--workers', 'all', '--cores=1, 2', '--load', '.5'], { workers: 'all', cores: [1, 2], load: 0.5 }],
  ['memory', ['--leave-free', '1.5GiB', '--hold', '5s'], { 'leave-free': 1.5 * 1024 * MIB, hold: 5000 }],
  ['memory', ['--bytes', '1000', '--leak-bytes-per-second', '1MB'], { bytes: 1000, 'leak-bytes-per-second': 1e6 }],
])('flags of %s: %j', (type, words, expected) => {
  expect(readCommandLine(commandOf(type), words)).toMatchObject(expected)
})

const union = (...options: object[]): object => ({ anyOf: options })

/** What no type may have today. */
test('flags of all kinds of schemas, and of names that are taken', () => {
  const pattern = union({ type: 'string' }, { type: 'object' })
  const properties = {
    name: { type: 'string', description: 'A pattern.' },
    action: union({ const: 'kill', type: 'string' }, { const: 'hang', type: 'string' }),
    reopen: { type: 'boolean', default: true },
    fileSizeBytes: { type: 'integer', default: 64 * MIB },
    command: pattern,
  }
  const schema = { type: 'object', properties, required: ['action', 'reopen', 'fileSizeBytes'] }
  const flags = attributeFlags('made-up', schema as never, ['name', 'ttl'])
  const read = (attribute: string, ...texts: string[]): unknown =>
    flags.find((flag) => flag.attribute === attribute)!.flag.read(texts, '--it')
  expect(flags.map(({ name }) => name)).toEqual(['made-up-name', 'action', 'reopen', 'file-size', 'command'])
  expect(flags.map(({ flag }) => flag.required)).toEqual([false, true, false, false, false])
  expect(flags[3]!.flag.remark).toBe('default 64MiB')
  expect([read('reopen'), read('reopen', 'false'), read('action', 'hang')]).toEqual([undefined, false, 'hang'])
  expect([read('command', 'node'), read('command', '{"glob":"n*"}')]).toEqual(['node', { glob: 'n*' }])
  expect(() => read('action', 'stop')).toThrow('--it: expected one of kill, hang, got "stop"')
})

test('every type is a command, with a flag for each attribute and an example that is right', async () => {
  expect(all.map(({ name }) => name)).toEqual(stressorTypes().map((type) => `stress ${type}`))
  for (const type of stressorTypes()) {
    const { example, flags, describe: text } = commandOf(type)
    const attributes = Object.keys(findStressorDefinition(type)!.schema['properties'] as object)
    expect(Object.keys(flags).length).toBe(attributes.length + 9) // those that all have
    expect(() => readCommandLine(commandOf(type), example.split(' ').slice(2))).not.toThrow()
    const help = await printed('help', 'stress', type)
    expect(help).toMatch(new RegExp(`^Usage: faultline stress ${type} `))
    expect(help).toContain(text)
    expect(await printed('stress', type, '--help')).toBe(help)
  }
})

test.each([
  [0, '0'],
  [1000, '1000'],
  [512 * MIB, '512MiB'],
  [1.5 * 1024 * MIB, '1.5GiB'],
  [123_456_789, '117.7MiB'],
])('%d bytes are shown as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text)
})

// ---- reference and completion ------------------------------------------------------------------------------------------

test('types explains all, or one with its attributes, without a server', async () => {
  const nowhere = { FAULTLINE_URL: 'http://127.0.0.1:1' }
  const { stdout: list } = await inProcess(['stress', 'types'], nowhere)
  for (const type of stressorTypes()) expect(list).toContain(`\n${type} `)
  const { stdout: one } = await inProcess(['stress', 'types', 'memory'], nowhere)
  expect(one).toMatch(/^memory\n\nTakes memory/)
  expect(one).toMatch(/\n {2}leaveFreeBytes= +Takes and gives back/)
  const { stdout: json } = await inProcess(['stress', 'types', 'cpu', '--json'], nowhere)
  expect(JSON.parse(json)).toMatchObject([{ type: 'cpu', attributes: { properties: { load: { maximum: 100 } } } }])
})

async function completed(...words: string[]): Promise<unknown> {
  const candidates = await complete(commands, words, { FAULTLINE_URL: server.url })
  return candidates === 'files' ? candidates : candidates.map(({ word }) => word)
}

test('completion offers types, their flags, and the choices of those', async () => {
  expect(await completed('str')).toEqual(['stress'])
  expect(await completed('stress', '')).toEqual([...stressorTypes(), 'list', 'stop', 'types'])
  expect(await completed('help', 'stress', 'mem')).toEqual(['memory'])
  expect(await completed('stress', 'cpu', '--wor')).toEqual(['--workers'])
  expect(await completed('stress', 'cpu', '--workers', '')).toEqual(['all'])
  expect(await completed('stress', 'types', 'memo')).toEqual(['memory'])
})
