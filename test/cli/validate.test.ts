// `faultline validate`: what it prints of a configuration or an experiment, and how it exits.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultline, inProcess } from './support.ts'

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
    const { code, stdout, stderr } = await inProcess(['validate', path])
    expect(stdout.split('\n')).toEqual([
      expect.stringContaining(`${path}:1:1: error: sed: unknown field (did you mean "seed"?)`),
      `${path}:5:14: error: proxies.a.enabled: expected true or false, got "maybe"`,
      '',
    ])
    expect({ code, stderr }).toEqual({ code: 1, stderr: `faultline: ${path} is not valid: 2 problems\n` })
  })

  test('with --json is for programs', async () => {
    const path = await file(bad)
    const wrong = await inProcess(['validate', path, '--json'])
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
    const { code, stdout } = await inProcess(['validate', path])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${path}: warning: [0].lisen: unknown field, ignored (did you mean "listen"?)\n${path} is valid: 1 proxy, 0 faults\n`,
    })
  })

  test('of a file that is not there fails', async () => {
    const { code, stdout, stderr } = await inProcess(['validate', join(folder, 'none.yaml')])
    expect(stderr).toContain('config: expected a readable file, ENOENT')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  })
})

const experiment = `title: x
steadyState: [{ name: a, http: "\${URL}" }]
phases: { baseline: { for: 1s }, failure: [{ fault: { proxy: a, type: noop }, for: 1s }] }
`
const scenario = `scenario: { name: s, category: network, complexity: basic, severity: light,
  parameters: { URL: { description: The service } } }
${experiment}`
const chaosToolkit = `title: x
description: x
oddity: 1
method: [{ type: probe, name: a, provider: { type: http, url: "http://\${host}/" } }]
configuration: { host: localhost }
`

describe('of an experiment', () => {
  test('validate says what is in it', async () => {
    const path = await file(experiment)
    const stdout = `${path} is valid: an experiment, 1 steady state, 1 step, 1m16s at most\n`
    expect(await inProcess(['validate', path], { URL: 'http://x' })).toEqual({ code: 0, stdout, stderr: '' })
    expect(await inProcess(['validate', path, '--set', 'URL=http://x'])).toEqual({ code: 0, stdout, stderr: '' })
  })

  test('it shows every mistake as compilers do, also of what is not there', async () => {
    const path = await file(experiment.replace('noop', 'nope').replace('baseline', 'base'))
    const { code, stdout, stderr } = await inProcess(['validate', path])
    expect(stdout.split('\n')).toEqual([
      expect.stringContaining(`${path}:2:33: error: expected the environment variable URL to be set`),
      expect.stringContaining(`${path}:3:11: error: phases.base: unknown field`),
      expect.stringContaining(`${path}:3:67: error: phases.failure.0.fault.type: unknown fault type "nope"`),
      '',
    ])
    expect({ code, stderr }).toEqual({ code: 1, stderr: `faultline: ${path} is not valid: 3 problems\n` })
  })

  test('the environment that it is to run in counts', async () => {
    const path = await file(experiment.replace('type: noop', 'type: http_abort'))
    const args = ['validate', path, '--set', 'URL=http://x']
    expect((await inProcess(args)).code).toBe(0)
    const { code, stdout } = await inProcess([...args, '--environment', 'production'])
    expect(stdout).toContain('expected a step of severity 3 at most, safety.severity, got 4')
    expect(code).toBe(1)
  })

  test('a scenario takes its parameters', async () => {
    const path = await file(scenario)
    expect((await inProcess(['validate', path, '--set', 'URL=http://x'])).stdout).toContain(`${path} is valid: an exp`)
    const { code, stderr } = await inProcess(['validate', path])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('URL: missing, expected a text') })
  })

  test('of Chaos Toolkit is told by its fields; what it ignores is a warning', async () => {
    const path = await file(chaosToolkit)
    expect(await inProcess(['validate', path, '--var', 'host=h'])).toEqual({
      code: 0,
      stdout:
        `${path}: warning: line 3: oddity: unknown field; it is ignored\n` +
        `${path} is valid: an experiment of Chaos Toolkit, 0 probes, 1 activity, 0 rollbacks\n`,
      stderr: '',
    })
    const wrong = await inProcess([
      'validate',
      await file(chaosToolkit.replace('type: http', 'type: python')),
      '--json',
    ])
    expect(wrong.code).toBe(1)
    const { valid, kind, problems } = JSON.parse(wrong.stdout)
    expect([valid, kind, problems[0].line, problems[0].field]).toEqual([
      false,
      'chaostoolkit',
      4,
      'method.0.provider.module',
    ])
  })

  test.each([
    [experiment, ['--var', 'a=1'], '--var: expected an experiment of Chaos Toolkit'],
    [chaosToolkit, ['--set', 'a=1'], "--set: expected an experiment of Faultline's own format"],
    [good, ['--environment', 'staging'], "--environment: expected an experiment of Faultline's own format"],
    [experiment, ['--files', 'x'], '--files: expected a configuration'],
  ])('flags that are for another kind are refused', async (text, flags, message) => {
    const { code, stderr } = await inProcess(['validate', await file(text), ...flags])
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(message) })
  })
})
