// Completion: what is offered for a command line, and that bash, zsh and fish offer it.
import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { commands } from '../../cli/commands/registry.ts'
import { complete } from '../../cli/completion.ts'
import { scripts, shells } from '../../cli/completion-scripts.ts'
import { inProcess, MAIN } from './support.ts'

let server: AdminServer

beforeAll(async () => {
  const redis = { name: 'redis', upstream: 'x:1', enabled: false, faults: [{ type: 'latency' }] }
  server = await startAdminServer({ port: 0, proxies: [redis, { name: 'rabbit', upstream: 'x:1', enabled: false }] })
})
afterAll(() => server.close())

/** The last word is being typed. */
async function offered(...words: string[]): Promise<readonly string[] | 'files'> {
  const candidates = await complete(commands, words, { FAULTLINE_URL: server.url })
  return candidates === 'files' ? candidates : candidates.map(({ word }) => word)
}

describe('what is offered', () => {
  test('commands and groups, each once, but none that is for programs', async () => {
    const words = await offered('')
    expect(new Set(words).size).toBe(words.length)
    for (const { name, kind } of commands) {
      const [word = ''] = name.split(' ')
      expect(words.includes(word)).toBe(kind !== 'hidden')
    }
  })

  test.each([
    [['he'], ['heal', 'healthcheck', 'help']],
    [
      ['toxic', ''],
      ['add', 'update', 'remove'],
    ],
    [
      ['help', 'partition', ''],
      ['list', 'add', 'heal'],
    ],
    [['help', 'ser'], ['serve']],
    [['nonsense', ''], []],
    [['proxy', 'add', 'x', '--li'], ['--listen']],
    [
      ['proxy', 'add', 'x', '--protocol', ''],
      ['tcp', 'http', 'postgres', 'udp'],
    ],
    [['proxy', 'add', 'x', '-p', 'p'], ['postgres']],
    [['proxy', 'add', 'x', '--protocol=h'], ['--protocol=http']],
    [['proxy', 'add', 'x', '--upstream', ''], []],
    [
      ['completion', ''],
      ['bash', 'zsh', 'fish'],
    ],
    [
      ['faults', 'http_r'],
      ['http_rate_limit', 'http_reset'],
    ],
    [['fault', 'add', 'redis', 'packet'], ['packet_loss']],
  ])('for %j', async (words, expected) => {
    expect(await offered(...words)).toEqual(expected)
  })

  test.each([
    [
      ['proxy', 'show', 'r'],
      ['redis', 'rabbit'],
    ],
    [['fault', 'rm', 'redis', ''], ['latency_downstream']],
    [['fault', 'rm', '--json', 'redis', ''], ['latency_downstream']],
    [['fault', 'rm', 'none', ''], []],
  ])('names that the server has, for %j', async (words, expected) => {
    expect(await offered(...words)).toEqual(expected)
  })

  test('names of the server that the line itself names; none if it is not there', async () => {
    const candidates = await complete(commands, ['proxy', 'show', '--host', server.url, ''], {})
    expect(candidates).toHaveLength(2)
    expect(await complete(commands, ['proxy', 'show', '--host', 'http://127.0.0.1:1', ''], {})).toEqual([])
  })

  test.each([[['validate', '']], [['list', '--token-file', '']], [['serve', '--config=']]])(
    'files, for %j',
    async (words) => {
      expect(await offered(...words)).toBe('files')
      expect((await inProcess(['complete', '--', ...words])).stdout).toBe(':files\n')
    },
  )

  test('with descriptions', async () => {
    const { stdout } = await inProcess(['complete', '--', 'stop'])
    expect(stdout).toBe(`stop\t${commands.find(({ name }) => name === 'stop')?.describe}\n`)
  })
})

test.each(shells)('completion %s prints its script', async (shell) => {
  const { code, stdout } = await inProcess(['completion', shell])
  expect({ code, stdout }).toEqual({ code: 0, stdout: `${scripts[shell]}\n` })
})

describe('in a shell', () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'faultline-completion-'))
    writeFileSync(join(folder, 'faultline'), `#!/bin/sh\nexec ${process.execPath} ${MAIN} "$@"\n`)
    chmodSync(join(folder, 'faultline'), 0o755)
    for (const shell of shells) writeFileSync(join(folder, `completion.${shell}`), scripts[shell])
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** What a script prints, without anybody's own configuration. */
  async function lines(shell: string, args: readonly string[], script: string): Promise<string[]> {
    const env = { PATH: `${folder}${delimiter}${process.env['PATH']}`, HOME: folder, FAULTLINE_URL: server.url }
    const { stdout, stderr } = await promisify(execFile)(shell, [...args, '-c', script], { cwd: folder, env })
    expect(stderr).toBe('')
    return stdout.split('\n').filter((line) => line !== '')
  }

  const cases = [
    ['faultline proxy a', ['add']],
    ['faultline partition ', ['list', 'add', 'heal']],
    ['faultline proxy show re', ['redis']],
  ] as const

  test.skipIf(!has('bash')).each([
    ...cases,
    // bash breaks the word at "=", and wants what is behind it only.
    ['faultline proxy add x --protocol=h', ['http']],
    ['faultline validate completion.z', ['completion.zsh']],
  ] as const)('bash offers for "%s"', async (line, expected) => {
    const words = line.replace('=', ' = ').split(' ')
    const script = [
      'source completion.bash',
      `COMP_LINE='${line}' COMP_POINT=${line.length}`,
      `COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}`,
      '_faultline',
      'printf "%s\\n" "${COMPREPLY[@]}"',
      'complete -p faultline',
    ].join('\n')
    const printed = await lines('bash', ['--norc'], script)
    expect(printed).toEqual([...expected, 'complete -F _faultline faultline'])
  })

  test.skipIf(!has('zsh')).each(cases)('zsh offers for "%s"', async (line, expected) => {
    const words = line.split(' ')
    // What completion is made of in a terminal is not there in a script: what is handed to it is printed instead.
    const script = [
      'compdef() { print -r "compdef $*" }',
      '_describe() { print -rl -- "${(@P)2%%:*}" }',
      'source completion.zsh',
      `words=(${words.map((word) => `'${word}'`).join(' ')}) CURRENT=${words.length}`,
      '_faultline',
    ].join('\n')
    expect(await lines('zsh', ['-f'], script)).toEqual(['compdef _faultline faultline', ...expected])
  })

  test.skipIf(!has('fish')).each(cases)('fish offers for "%s"', async (line, expected) => {
    const printed = await lines('fish', ['--no-config'], `source completion.fish; complete -C '${line}'`)
    // In an order of its own.
    expect(new Set(printed.map((offer) => offer.split('\t')[0]))).toEqual(new Set(expected))
  })
})

function has(shell: string): boolean {
  return spawnSync(shell, ['--version']).status === 0
}
