import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigError } from '../../../admin/config/config-error.ts'
import { readChaosToolkit, readChaosToolkitFile, type ReadOptions } from '../../../experiments/chaostoolkit/read.ts'
import { toxiproxyUrlOf } from '../../../experiments/chaostoolkit/target.ts'
import { http, probe, program, read, steady, toxi } from './support.ts'

/** What is wrong with a text, as `line:column: message`. */
function problems(text: string, options: ReadOptions = {}): string[] {
  try {
    readChaosToolkit(text, { file: 'e.yaml', ...options })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.message.split('\n').map((line) => line.replace('e.yaml:', ''))
  }
  throw new Error('expected a ConfigError')
}

/** Without places. */
function mistakes(parts: Parameters<typeof read>[0], options: ReadOptions = {}): string[] {
  try {
    read(parts, options)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.problems.map(({ message }) => message)
  }
  throw new Error('expected a ConfigError')
}

test('YAML and JSON say the same', async () => {
  const yaml = `
---
version: 1.0.0
title: \${what} is forgivable
description: >-
  Why.
tags: [files]
contributions: { reliability: high }
extensions: [{ name: vendor, data: 1 }]
configuration: { what: Moving a file }
method:
- type: action
  name: look
  provider: { type: process, path: ls, arguments: "-l '/tmp/\${what}'" }
  pauses: { after: 0.5 }
- ref: look
  background: true
rollbacks:
`
  const experiment = readChaosToolkit(yaml)
  expect(experiment).toMatchObject({ title: 'Moving a file is forgivable', warnings: [], rollbacks: [] })
  expect(experiment.method).toMatchObject([
    { name: 'look', background: false, pauses: { after: 0.5 }, source: { provider: { path: 'ls' } } },
    { name: 'look', background: true },
  ])
  const { document } = experiment
  expect(document['title']).toBe('${what} is forgivable')
  expect(readChaosToolkit(JSON.stringify(document)).method).toEqual(experiment.method)

  const folder = await mkdtemp(join(tmpdir(), 'faultline-ctk-'))
  const path = join(folder, 'experiment.json')
  await writeFile(path, JSON.stringify({ ...document, title: 1 }))
  await expect(readChaosToolkitFile(path)).rejects.toThrow(`${path}:1:`)
  await expect(readChaosToolkitFile(join(folder, 'none.json'))).rejects.toThrow('expected a readable file, ENOENT')
  await rm(folder, { recursive: true })
})

test('all mistakes are told at once, each with its place', () => {
  const text = `title: ''
tags: [files, '']
steady-state-hypothesis:
  probes:
    - { type: probe, name: a, provider: { type: http, url: 'ftp://x' } }
    - { type: probe, name: b, tolerance: 0.5, provider: { type: http, url: http://x, timeout: [1] } }
method:
  - { type: actoin, name: c, provider: { type: grpc } }
  - { type: action, provider: { type: process, path: no-such-program-here } }
  - ref: d
  - text
rollbacks:
  - { type: action, name: e, provider: { type: process, path: ls, arguments: a | b }, pauses: { after: -1 } }
runtime: { rollbacks: { strategy: often } }
`
  expect(problems(text)).toEqual([
    '1:1: description: missing, expected a non-empty string',
    '1:8: title: expected a non-empty string, got ""',
    '2:15: tags.1: expected a non-empty string, got ""',
    '3:1: steady-state-hypothesis.title: missing, expected a non-empty string',
    '5:7: steady-state-hypothesis.probes.0.tolerance: missing, expected what the output has to be like',
    '5:60: steady-state-hypothesis.probes.0.provider.url: expected a URL that begins with http:// or https://, got "ftp://x"',
    '6:42: steady-state-hypothesis.probes.1.tolerance: expected an integer, or {type: range, range: [least, greatest]} for other numbers, got 0.5',
    '6:95: steady-state-hypothesis.probes.1.provider.timeout: expected a number of seconds above 0, or two of them: to connect, and to answer, got [1]',
    '8:13: method.0.type: expected "probe" or "action", got "actoin"',
    '8:48: method.0.provider.type: expected http, process or python, got "grpc"',
    '9:5: method.1.name: missing, expected a non-empty string',
    '9:54: method.1.provider.path: expected a program that there is, and that may be run, got "no-such-program-here"',
    '10:10: method.2.ref: expected the name of an activity of the method or the hypothesis, got "d" (did you mean "c"?)',
    '11:5: method.3: expected an object, got "text"',
    '13:78: rollbacks.0.provider.arguments: expected a list, or a text without |, which needs a shell and so has to be allowed',
    '13:104: rollbacks.0.pauses.after: expected a number of seconds ≥ 0, got -1',
    '14:35: runtime.rollbacks.strategy: expected "default" or "always" or "never" or "deviated", got "often"',
  ])
})

test('what is no YAML is told with its place, and dollars as they are', () => {
  expect(problems('title: a\nmethod: [${x}\n')[0]).toMatch(/^\d+:\d+: expected YAML: /)
  expect(problems('title: $a\ntitle: $b\ndescription: x\nmethod: []')).toEqual([
    '2:1: expected each key once, got one twice',
  ])
})

test('other providers and Python are refused by name', () => {
  const parts = {
    controls: [{ name: 'tracing', provider: { type: 'python', module: 'chaostracing.control' } }],
    method: [
      probe('pods', { type: 'python', module: 'chaosk8s.pod.probes', func: 'pods_in_phase' }),
      probe('toxic', toxi('toxic.actions', 'create_latency')),
      probe('other', toxi('proxy.probes', 'create_proxy')),
    ],
  }
  const known = 'chaostoxi.proxy.actions, chaostoxi.proxy.probes or chaostoxi.toxic.actions, as no Python runs here'
  expect(mistakes(parts)).toEqual([
    `method.0.provider.module: expected ${known}, got "chaosk8s.pod.probes"`,
    expect.stringMatching(/^method\.1\.provider\.func: expected one of create_toxic, .*, got "create_latency"/),
    'method.2.provider.func: expected one of proxy_exist, get_proxy_attribute, got "create_proxy"',
    'controls.0: expected no controls, as no Python runs here, got "chaostracing.control"',
  ])
  expect(read({ controls: [] }).warnings).toEqual([])
  const controls = [{ name: 'safeguards', provider: { type: 'python', module: 'chaosaddons.controls.safeguards' } }]
  const guarded = probe('a', http('http://x'), { tolerance: 200, controls })
  const hypothesis = { title: 'It works', probes: [guarded], controls }
  const refused = 'controls.0: expected no controls, as no Python runs here, got "chaosaddons.controls.safeguards"'
  expect(mistakes({ 'steady-state-hypothesis': hypothesis, method: [{ ref: 'a', controls }] })).toEqual(
    expect.arrayContaining([
      `steady-state-hypothesis.${refused}`,
      `steady-state-hypothesis.probes.0.${refused}`,
      `method.0.${refused}`,
    ]),
  )
})

test('arguments of the toxiproxy extension are checked as its faults are', () => {
  const on = { for_proxy: 'db', toxic_name: 'slow' }
  const all = [
    toxi('toxic.actions', 'create_latency_toxic', { ...on, latency: '5', jiter: 1 }),
    toxi('toxic.actions', 'create_latency_toxic', { ...on, latency: -5 }),
    toxi('toxic.actions', 'create_toxic', { ...on, toxic_type: 'latncy' }),
    toxi('toxic.actions', 'create_toxic', { ...on, toxic_type: 'http_abort' }),
    toxi('toxic.actions', 'create_toxic', { ...on, toxic_type: 'latency', attributes: { lateny: 1 } }),
    toxi('toxic.actions', 'create_limiter_toxic', { ...on, bytes: 1 }),
    toxi('proxy.actions', 'create_proxy', { proxy_name: 'db', upstream_host: 'x', upstream_port: 70_000 }),
  ]
  expect(mistakes({ method: all.map((provider, index) => probe(`p${index}`, provider)) })).toEqual([
    'method.0.provider.arguments.latency: expected an integer, got "5"',
    expect.stringContaining('method.0.provider.arguments.jiter: unknown field (did you mean "jitter"?)'),
    'method.1.provider.arguments.latency: expected an integer ≥ 0, got -5',
    expect.stringMatching(
      /^method\.2\.provider\.arguments\.toxic_type: expected a toxic: .*, got "latncy" \(did you mean "latency"/,
    ),
    expect.stringContaining('method.3.provider.arguments.toxic_type: expected a toxic'),
    expect.stringContaining('method.4.provider.arguments.attributes.lateny: unknown field (did you mean "latency"?)'),
    'method.5.provider.arguments.bytes_limit: missing, expected an integer',
    expect.stringContaining('method.5.provider.arguments.bytes: unknown field'),
    'method.6.provider.arguments.upstream_port: expected a port, or env: and the name of a variable, got 70000',
  ])
})

function env(key: string, rest: object = {}): object {
  return { type: 'env', key, ...rest }
}

describe('configuration and secrets', () => {
  const environment = { PORT: '8080', ON: 'No', RATIO: '0.5', LIST: '[1, 2]', TOKEN: 'secret-1', EMPTY: '' }
  const configuration = {
    port: env('PORT', { env_var_type: 'int' }),
    portText: env('PORT'),
    on: env('ON', { env_var_type: 'bool' }),
    ratio: env('RATIO', { env_var_type: 'float' }),
    list: env('LIST', { env_var_type: 'json' }),
    missing: env('MISSING', { default: 7 }),
    empty: env('EMPTY', { default: 'unused' }),
    plain: { a: 1 },
    both: 'configuration',
  }
  const secrets = { api: { token: env('TOKEN'), both: 'secret' }, db: { password: 'p' } }

  test('come from the file, the environment and variables', () => {
    const { values } = read({ configuration, secrets }, { environment, variables: { plain: 2, extra: 3 } })
    const names = ['port', 'portText', 'on', 'ratio', 'list', 'missing', 'empty', 'plain', 'both', 'token', 'password']
    expect(names.map((name) => values.get(name))).toEqual([
      8080,
      '8080',
      false,
      0.5,
      [1, 2],
      7,
      '',
      2,
      'configuration',
      'secret-1',
      'p',
    ])
    expect(values.get('extra')).toBe(3)
  })

  test('fill texts in, configuration before secrets', () => {
    const { values } = read({ configuration, secrets }, { environment })
    const data = { a: '${port}', b: '$port/${on}/${both}', c: ['${list}', '$$port ${token}'], d: '${nobody}', e: 5 }
    expect(values.substitute(data)).toEqual({
      a: 8080,
      b: '8080/False/configuration',
      c: [[1, 2], '$port secret-1'],
      d: '${nobody}',
      e: 5,
    })
    // The original leaves texts alone when there is nothing to fill in.
    expect(read({}).values.substitute('$$ ${a}')).toBe('$$ ${a}')
  })

  test('that are not there are mistakes, which show no values', () => {
    const parts = {
      configuration: {
        a: env('MISSING'),
        b: { type: 'env' },
        c: env('TOKEN', { env_var_type: 'int' }),
        d: env('TOKEN', { env_var_type: 'date' }),
        e: { type: 'probe', provider: {} },
      },
      secrets: { s: { a: env('MISSING'), b: { type: 'vault', path: 'x' } } },
    }
    const found = mistakes(parts, { environment })
    expect(found).toEqual([
      'configuration.a.key: expected an environment variable that is set, or a default, got "MISSING"',
      'configuration.b.key: missing, expected a non-empty string',
      'configuration.c.key: expected an integer in the environment variable TOKEN',
      expect.stringMatching(/^configuration\.d\.env_var_type: expected "str" or .*, got "date"/),
      'configuration.e.type: expected env or a plain value, as configuration is known before the run, got "probe"',
      'secrets.s.a.key: expected an environment variable that is set, or a default, got "MISSING"',
      'secrets.s.b.type: expected env or a plain value, got "vault"',
    ])
    const split = { method: [probe('a', program('ls', '${password} | x'))], secrets: { db: { password: 'hunter2' } } }
    expect(mistakes(split).join('')).not.toContain('hunter2')
  })

  test('name the server of the proxies', () => {
    expect(toxiproxyUrlOf(read({ configuration: { toxiproxy_host: 'toxi' } }))).toBe('http://toxi:8474')
    expect(toxiproxyUrlOf(read({ configuration: { toxiproxy_host: 'toxi', toxiproxy_port: 1 } }))).toBe('http://toxi:1')
    expect(toxiproxyUrlOf(read({}))).toBeUndefined()
  })
})

test('what does nothing is a warning', () => {
  const parts = {
    verison: '1.0.0',
    method: [
      probe('a', http('http://x', { expected_status: 200 }), { tolerance: 200, pause: { after: 5 } }),
      probe('b', http('http://x/${nobody}')),
    ],
  }
  expect(read(parts).warnings).toEqual([
    'line 1: verison: unknown field (did you mean "version"?); it is ignored',
    'line 1: method.0.pause: unknown field (did you mean "pauses"?); it is ignored',
    'line 1: method.0.provider.expected_status: unknown field; it is ignored',
    'method.0.tolerance: only probes of the steady-state-hypothesis are judged by it',
    'method.1.provider: there is no nobody in configuration or secrets: it stays as it is',
  ])
})

test('a probe is judged also if there are fields that are ignored', () => {
  const given = probe('a', http('http://x', { note: 1 }), {
    tolerance: { type: 'regex', pattern: 'x', note: 1 },
    note: 1,
  })
  expect(read(steady(given)).hypothesis?.probes).toHaveLength(1)
})

/** What of a line needs a shell. */
function wants(line: string, allowShell = false): string {
  try {
    read({ method: [probe('a', program('ls', line))] }, { allowShell })
    return 'fine'
  } catch (error) {
    return /without (.*), which needs/.exec((error as Error).message)?.[1] ?? String(error)
  }
}

test('words that only a shell understands are refused unless it is allowed', () => {
  for (const line of [
    '-l',
    '\'a | b\' "c; d"',
    'http://x/?a=[1]',
    'a\\&b',
    '$',
    '5$',
    '"\\$HOME"',
    '-o=~',
    'a#b',
    '{a}',
  ]) {
    expect(wants(line), line).toBe('fine')
  }
  const refused = {
    'a | b': '|',
    'a && b': '&',
    'a; b': ';',
    'a > b': '>',
    'a < b': '<',
    '$(a)': '$(',
    '`a`': '`',
    '"`a`"': '`',
    'a $HOME': '$HOME',
    '"${HOME}"': '${HOME}',
    '*.log': '*',
    'a?': '?',
    '[ab]': '[',
    '~/a': '~',
    '# a': '#',
    "it's": "a ' without its end",
    '"a': 'a " without its end',
    'a\nb': 'a new line',
  }
  for (const [line, syntax] of Object.entries(refused)) {
    expect(wants(line), line).toBe(syntax)
    expect(wants(line, true), line).toBe('fine')
  }
})
