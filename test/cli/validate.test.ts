// `faultline validate`: what it prints of a configuration, and how it exits.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultline } from './support.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-validate-'))
})
afterAll(() => rm(folder, { recursive: true }))

let files = 0
async function file(text: string): Promise<string> {
  const path = join(folder, `${++files}.yaml`)
  await writeFile(path, text)
  return path
}

const good = 'proxies:\n  a:\n    upstream: ${HOST}:1\n    faults:\n      - type: noop\n'
const bad = 'sed: 1\nproxies:\n  a:\n    upstream: x:1\n    enabled: maybe\n'

describe.concurrent('validate', () => {
  test('of a good file says what is in it', async () => {
    const path = await file(good)
    const expected = { code: 0, stdout: `${path} is valid: 1 proxy, 1 fault\n`, stderr: '' }
    expect(await faultline(['validate', path], { HOST: 'x' })).toEqual(expected)
  })

  test('of a bad one shows every mistake as compilers do, and fails', async () => {
    const path = await file(bad)
    const { code, stdout, stderr } = await faultline(['validate', path])
    expect(stdout.split('\n')).toEqual([
      expect.stringContaining(`${path}:1:1: error: sed: unknown field (did you mean "seed"?)`),
      `${path}:5:14: error: proxies.a.enabled: expected true or false, got "maybe"`,
      '',
    ])
    expect({ code, stderr }).toEqual({ code: 1, stderr: `faultline: ${path} is not valid: 2 problems\n` })
  })

  test('with --json is for programs', async () => {
    const path = await file(bad)
    const wrong = await faultline(['validate', path, '--json'])
    expect(wrong.code).toBe(1)
    expect(JSON.parse(wrong.stdout)).toMatchObject({
      valid: false,
      problems: [
        { file: path, line: 1, column: 1, code: 'unknown_field', field: 'sed' },
        {
          file: path,
          line: 5,
          column: 14,
          code: 'invalid_value',
          field: 'proxies.a.enabled',
          expected: 'true or false',
        },
      ],
    })
  })

  test('shows what a server would ignore', async () => {
    const path = await file('[{ "name": "a", "upstream": "x:1", "lisen": "x:1" }]')
    const { code, stdout } = await faultline(['validate', path])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${path}: warning: [0].lisen: unknown field, ignored (did you mean "listen"?)\n${path} is valid: 1 proxy, 0 faults\n`,
    })
  })

  test('of a file that is not there fails', async () => {
    const { code, stdout, stderr } = await faultline(['validate', join(folder, 'none.yaml')])
    expect(stderr).toContain('config: expected a readable file, ENOENT')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })
})
