// The configuration file in our own form: what it may say, and how exactly it is told what is wrong in it.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ConfigError } from '../../admin/config/config-error.ts'
import { loadConfig, parseConfig, type LoadedConfig } from '../../admin/config/load.ts'
import { startAdminServer } from '../../admin/index.ts'
import { isFaultlineError } from '../../proxy/index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-yaml-'))
})
afterAll(() => rm(folder, { recursive: true }))

type Variables = Readonly<Record<string, string>>

function parse(text: string, environment: Variables = {}): Promise<LoadedConfig> {
  return parseConfig('faultline.yaml', text, { environment })
}

/** What is wrong with a text, as `line:column: message`. */
async function problems(text: string, environment: Variables = {}): Promise<string[]> {
  const error: unknown = await parse(text, environment).catch((thrown: unknown) => thrown)
  if (!(error instanceof ConfigError)) throw new Error('expected a ConfigError', { cause: error })
  expect(isFaultlineError(error)).toBe(true)
  expect(error.message).toBe(error.problems.map((p) => `${p.file}:${p.line}:${p.column}: ${p.message}`).join('\n'))
  return error.message.split('\n').map((line) => line.replace('faultline.yaml:', ''))
}

/** A text in which a mark shows where something is wrong. */
function readMark(marked: string): { text: string; place: string } {
  const before = marked.slice(0, marked.indexOf('▸')).split('\n')
  return { text: marked.replace('▸', ''), place: `${before.length}:${(before.at(-1)?.length ?? 0) + 1}` }
}

const EXAMPLE = `
# yaml-language-server: $schema=./node_modules/faultline/faultline.schema.json
seed: 7
admin: { listen: 127.0.0.1:8474, token: \${FAULTLINE_TOKEN:-} }
proxies:
  payments:
    listen: 127.0.0.1:0
    upstream: payments:8080
    protocol: http
    from: checkout
    to: payments
    faults:
      - { type: http_abort, match: { method: POST, path: /v1/charges* }, probability: 0.05, attributes: { status: 503 } }
  orders-db:
    listen: 127.0.0.1:0
    upstream: db:5432
    protocol: postgres
    faults:
      - { type: latency, direction: downstream, attributes: { latency: 80, jitter: 20 } }
`

describe('what a file says', () => {
  test('is proxies with options and faults, which the server begins with', async () => {
    const config = await parse(EXAMPLE)
    expect(config).toMatchObject({ seed: 7, warnings: [], admin: { listen: '127.0.0.1:8474' } })
    const server = await startAdminServer({ port: 0, seed: config.seed!, proxies: config.proxies })
    const { proxies } = (await (await fetch(`${server.url}/v1/proxies`)).json()) as { proxies: unknown[] }
    await server.close()
    expect(proxies).toMatchObject([
      {
        name: 'payments',
        protocol: 'http',
        from: 'checkout',
        faults: [{ name: 'http_abort_upstream', probability: 0.05, attributes: { status: 503 } }],
      },
      { name: 'orders-db', faults: [{ name: 'latency_downstream', attributes: { latency: 80, jitter: 20 } }] },
    ])
  })

  test('may be JSON', async () => {
    const json = JSON.stringify({ proxies: { a: { upstream: 'x:1', faults: [{ type: 'noop' }] } } })
    const { proxies } = await parse(json)
    expect(proxies).toEqual([{ name: 'a', upstream: 'x:1', faults: [{ type: 'noop', name: 'noop_downstream' }] }])
  })

  test("may be Toxiproxy's array in YAML", async () => {
    const { proxies, warnings } = await parse('- { name: a, upstream: x:1, toxics: [{ type: noop }], note: 1 }')
    expect(proxies).toMatchObject([{ name: 'a', faults: [{ name: 'noop_downstream' }] }])
    expect(warnings).toEqual(['[0].note: unknown field, ignored (did you mean "name"?)'])
  })

  test('may repeat itself by aliases', async () => {
    const { proxies } = await parse(
      'proxies:\n  a: &a { upstream: x:1, faults: [&slow { type: latency, attributes: { latency: 5 } }] }\n  b: *a\n  c: { upstream: y:1, faults: [*slow] }',
    )
    expect(proxies.map(({ name, upstream, faults }) => [name, upstream, faults?.[0]?.attributes])).toEqual([
      ['a', 'x:1', { latency: 5 }],
      ['b', 'x:1', { latency: 5 }],
      ['c', 'y:1', { latency: 5 }],
    ])
  })

  test('without a value counts as left out', async () => {
    const { proxies, admin } = await parse('admin: { token: }\nproxies:\n  a:\n    upstream: x:1\n    faults:\n')
    expect(proxies).toEqual([{ name: 'a', upstream: 'x:1', faults: [] }])
    expect(admin).toEqual({})
  })

  test('names of proxies may have dots, and be what no field of an object can be', async () => {
    const { proxies } = await parse(
      'proxies: { a.b.c: { upstream: x:1 }, __proto__: { upstream: x:2 }, 7: { upstream: x:3 } }',
    )
    expect(proxies.map(({ name }) => name).toSorted()).toEqual(['7', '__proto__', 'a.b.c'])
  })

  test('has paths that are seen from the file', async () => {
    await mkdir(join(folder, 'bodies'))
    await writeFile(join(folder, 'bodies', 'busy.html'), 'busy')
    const path = join(folder, 'with-files.yaml')
    const fault = '{ type: http_abort, attributes: { bodyFile: busy.html } }'
    await writeFile(
      path,
      `admin: { filesDirectory: bodies, auditLog: audit.log }\nproxies: { a: { upstream: x:1, protocol: http, faults: [${fault}] } }`,
    )
    const { admin } = await loadConfig(path)
    expect(admin).toEqual({ filesDirectory: join(folder, 'bodies'), auditLog: join(folder, 'audit.log') })
  })
})

function proxies(fields: string): string {
  return `proxies:\n  a: { upstream: "x:1", ${fields} }`
}

describe('variables', () => {
  test('are read as YAML reads a value, or stay text in quotes', async () => {
    const text = proxies(
      'listen: "${HOST}:${PORT:-9001}", enabled: ${ENABLED}, faults: [{ type: latency, probability: ${SHARE:-0.5}, name: "${SHARE:-0.5}" }]',
    )
    const { proxies: specs } = await parse(text, { HOST: '127.0.0.1', ENABLED: 'false' })
    expect(specs).toMatchObject([
      { listen: '127.0.0.1:9001', enabled: false, faults: [{ probability: 0.5, name: '0.5' }] },
    ])
  })

  test('can not bring in more than a value', async () => {
    const { proxies: specs } = await parse(proxies('from: ${EVIL}, to: "${EVIL}"'), {
      EVIL: 'x, upstream: "evil:1" }\n# ',
    })
    expect(specs).toMatchObject([
      { upstream: 'x:1', from: 'x, upstream: "evil:1" }\n#', to: 'x, upstream: "evil:1" }\n# ' },
    ])
  })

  test('with a default take it when they are empty, as in a shell', async () => {
    const { proxies: specs } = await parse(proxies('from: ${A:-one}, to: ${B:-two}'), { A: '' })
    expect(specs).toMatchObject([{ from: 'one', to: 'two' }])
  })

  test('are left alone behind two dollars, in comments, and in what a variable holds', async () => {
    const { proxies: specs } = await parse(
      `# \${NOT SET\n${proxies('from: $${HOME}, to: "$${HOME} ${X}"')} # \${NONE}`,
      { X: '${HOME}' },
    )
    expect(specs).toMatchObject([{ from: '${HOME}', to: '${HOME} ${HOME}' }])
  })

  test('may be in text over several lines, behind any other characters', async () => {
    const { proxies: specs } = await parse(
      'proxies:\n  a:\n    upstream: x:1\n    from: |\n      \ue000é😀${X}\n      ${X}\n',
      { X: 'y' },
    )
    expect(specs).toMatchObject([{ from: '\ue000é😀y\ny\n' }])
  })

  const unset = 'expected the environment variable NONE to be set, or a default as in ${NONE:-default}, got "${NONE}"'
  const malformed = 'expected ${NAME} or ${NAME:-default}, or $${ for a plain ${, got'
  test.each([
    ['from: ▸${NONE}', unset],
    ['from: "a ▸${NONE} b"', unset],
    ['from: ▸${1X}', `${malformed} "\${1X}"`],
    ['from: ▸${X-y}', `${malformed} "\${X-y}"`],
    ['from: ▸"a ${X"', `${malformed} "a \${X"`],
    ['▸"${X}": 1', 'proxies.a.${X}: expected a key without ${…}, which is for values'],
  ])('%s is refused at its place', async (marked, problem) => {
    const { text, place } = readMark(proxies(marked))
    expect(await problems(text)).toContain(`${place}: ${problem}`)
  })

  test('that are not set are one problem, not also what is missing then', async () => {
    expect(await problems('seed: ${SEED}\nproxies: { a: { upstream: ${UPSTREAM} } }')).toEqual([
      '1:7: expected the environment variable SEED to be set, or a default as in ${SEED:-default}, got "${SEED}"',
      '2:27: expected the environment variable UPSTREAM to be set, or a default as in ${UPSTREAM:-default}, got "${UPSTREAM}"',
    ])
  })
})

describe('what is wrong', () => {
  test('is told all at once, in the order of the file', async () => {
    const text = EXAMPLE.replace('seed: 7', 'seed: seven')
      .replace('503', '5033')
      .replace('upstream: db:5432', 'upstrem: db:5432')
      .replace('jitter: 20', 'jiter: 20')
      .replace('protocol: http', 'protocol: htp')
    expect((await problems(text)).map((line) => line.replace(/, expected one of .*/, ''))).toEqual([
      '3:7: seed: expected an integer from -9007199254740991 to 9007199254740991, got "seven"',
      '9:15: proxies.payments.protocol: expected "tcp" or "http" or "postgres" or "udp", got "htp"',
      '13:115: proxies.payments.faults.0.attributes.status: expected an integer from 200 to 599, got 5033',
      '14:3: proxies.orders-db.upstream: missing, expected a non-empty string',
      '16:5: proxies.orders-db.upstrem: unknown field (did you mean "upstream"?)',
      '19:76: proxies.orders-db.faults.0.attributes.jiter: unknown field (did you mean "jitter"?)',
    ])
  })

  // The mark is where the problem is to be told.
  const upstream = 'upstream: x:1'
  test.each([
    ['▸', /^expected an object with proxies, or an array of them in Toxiproxy's form, got null$/],
    ['▸just text', /^expected an object with proxies/],
    ['a: ▸b: c', /^expected YAML: Nested mappings are not allowed/],
    ['proxies:\n▸\ta: 1', /^expected YAML: Tabs are not allowed as indentation$/],
    ['proxies: {▸', /^expected YAML: /],
    ['proxies: ▸*none', /^expected Unresolved alias/],
    ['seed: ▸!number 5', /^expected YAML: Unresolved tag: !number$/],
    ['seed: 1\n▸---\nseed: 2', /^expected YAML: Source contains multiple documents/],
    ['seed: 1\n▸seed: 2', /^expected each key once, got one twice$/],
    [`proxies: { a: { ${upstream} }, ▸a: { ${upstream} } }`, /^expected each key once, got one twice$/],
    [
      '▸proxis: {}',
      /^proxis: unknown field \(did you mean "proxies"\?\), expected one of \$schema, seed, admin, proxies$/,
    ],
    ['proxies: ▸[]', /^proxies: expected an object, got \[\]$/],
    ['proxies: { a: ▸x:1 }', /^proxies\.a: expected an object, got "x:1"$/],
    ['admin: { listen: ▸8474 }', /^admin\.listen: expected a non-empty string, got 8474$/],
    ['admin: { listen: ▸localhost }', /^admin\.listen: expected host:port, got address localhost: missing port/],
    ['admin: { ▸lisen: x:1 }', /^admin\.lisen: unknown field \(did you mean "listen"\?\)/],
    ['admin: { token: ▸12345 }', /^admin\.token: expected a string$/],
    ['admin: { token: ▸"a b" }', /^admin\.token: expected visible ASCII characters without spaces$/],
    ['admin: { allowedHosts: [a, ▸"b:1"] }', /^admin\.allowedHosts\.1: expected a host name without a port$/],
    [
      'admin: { defaultTtlMs: ▸10, maxTtlMs: 5 }',
      /^admin\.defaultTtlMs: expected at most 5, the maximum here, got 10$/,
    ],
    ['admin: { maxTtlMs: ▸0 }', /^admin\.maxTtlMs: expected an integer from 1 to 604800000, got 0$/],
    [`proxies: { a: { upstream: ▸x } }`, /^proxies\.a\.upstream: expected host:port, got address x: missing port/],
    [`proxies: { ▸a: { listen: x:1 } }`, /^proxies\.a\.upstream: missing, expected a non-empty string$/],
    [`proxies: { a: { ${upstream}, listen: ▸"x:70000" } }`, /^proxies\.a\.listen: expected host:port/],
    [`proxies: { a: { ${upstream}, enabled: ▸yes } }`, /^proxies\.a\.enabled: expected true or false, got "yes"$/],
    [
      `proxies: { a: { ${upstream}, ▸strict: true } }`,
      /^proxies\.a\.strict: expected nothing, as a proxy with protocol tcp/,
    ],
    [
      `proxies: { a: { ${upstream}, protocol: http, strict: ▸1 } }`,
      /^proxies\.a\.strict: expected true or false, got 1$/,
    ],
    [`proxies: { a: { ${upstream}, protocol: postgres, tlsKey: ▸x } }`, /^proxies\.a\.tlsKey: expected nothing/],
    [`proxies: { a: { ${upstream}, faults: ▸{} } }`, /^proxies\.a\.faults: expected an array, got {}$/],
    [
      `proxies: { a: { ${upstream}, faults: [▸latency] } }`,
      /^proxies\.a\.faults\.0: expected an object, got "latency"$/,
    ],
    [`proxies: { a: { ${upstream}, faults: [▸{}] } }`, /^proxies\.a\.faults\.0\.type: unknown fault type nothing/],
    [
      `proxies: { a: { ${upstream}, faults: [{ type: ▸latenc }] } }`,
      /unknown fault type "latenc" \(did you mean "latency"\?\)/,
    ],
    [`proxies: { a: { ${upstream}, faults: [{ type: ▸drop }] } }`, /faults\.0\.type: drop needs a proxy over udp/],
    [
      `proxies: { a: { ${upstream}, faults: [{ type: ▸http_abort }] } }`,
      /\.type: http_abort needs a proxy with protocol http/,
    ],
    [
      `proxies: { a: { ${upstream}, faults: [{ type: noop }, ▸{ type: noop }] } }`,
      /^proxies\.a\.faults\.1: proxy "a" already has a fault named "noop_downstream"$/,
    ],
    [`proxies: { a: { ${upstream}, faults: [{ type: noop, lease: ▸x }] } }`, /\.lease: expected the id of a lease/],
    [
      `proxies: { a: { ${upstream}, faults: [{ type: noop, direction: ▸up }] } }`,
      /\.direction: expected "upstream" or "downstream" or "both", got "up"$/,
    ],
    [
      `proxies: { a: { ${upstream}, faults: [{ type: noop, match: { clientAddress: ▸1.2.3 } }] } }`,
      /\.match\.clientAddress: expected IP addresses/,
    ],
    [
      `proxies: { a: { ${upstream}, faults: [{ type: noop, ▸matches: {} }] } }`,
      /\.matches: unknown field \(did you mean "match"\?\)/,
    ],
    [
      `admin: { maxTtlMs: 5 }\nproxies: { a: { ${upstream}, faults: [{ type: noop, ttlMs: ▸6 }] } }`,
      /\.ttlMs: expected at most 5, the maximum here, got 6$/,
    ],
    [`proxies: { a.b: { ${upstream}, ▸x.y: 1 } }`, /^proxies\.a\.b\.x\.y: unknown field/],
    [`proxies:\r\n  a:\r\n    upstream: ▸5\r\n`, /^proxies\.a\.upstream: expected a non-empty string, got 5$/],
    // What an alias brings in is wrong where it stands.
    [
      `proxies:\n  a: { ${upstream}, protocol: http, faults: [&f { type: ▸http_abort }] }\n  b: { ${upstream}, faults: [*f] }`,
      /^proxies\.b\.faults\.0\.type: http_abort needs a proxy with protocol http/,
    ],
  ])('%j', async (marked, message) => {
    const { text, place } = readMark(marked)
    const found = await problems(text)
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(new RegExp(`^${place}: `))
    expect(found[0]?.slice(place.length + 2)).toMatch(message)
  })

  test('never shows a secret', async () => {
    const text = `admin: { token: 4711, tokens: { ci: 4711 } }\nproxies: { a: { ${upstream}, protocol: postgres, tls: terminate, tlsKey: 4711 } }`
    const found = await problems(text)
    expect(found).toHaveLength(3)
    expect(found.join()).not.toContain('4711')
  })
})

describe('a file that would keep the server busy is refused', () => {
  const quick = 1000 // Without the limit each of them takes seconds, or all the memory.
  test.each([
    ['many brackets', '['.repeat(500_000), /^1:65: expected at most 64 levels$/],
    ['many braces', `seed: ${'{a: '.repeat(100_000)}`, /expected at most 64 levels$/],
    [
      'deep indentation',
      Array.from({ length: 200 }, (_, level) => `${' '.repeat(level)}a:`).join('\n'),
      /expected at most 64 levels$/,
    ],
    [
      'a billion laughs',
      `a: &a [x,x]\n${'bcdefghijklmnop'
        .split('')
        .map((name, index) => `${name}: &${name} [${`*${'abcdefghijklmnop'[index]},`.repeat(9)}]`)
        .join('\n')}`,
      /expected at most 1000 aliases$/,
    ],
    ['an alias of itself', 'seed: &a [*a]', /expected at most 64 levels$/],
  ])('%s', async (_name, text, message) => {
    const startMs = performance.now()
    expect((await problems(text))[0]).toMatch(message)
    expect(performance.now() - startMs).toBeLessThan(quick)
  })

  test('too many bytes', async () => {
    const path = join(folder, 'large.yaml')
    await writeFile(path, `# ${'x'.repeat(1024 * 1024)}`)
    await expect(loadConfig(path)).rejects.toThrow('config: expected a file of at most 1048576 bytes, got 1048578')
  })
})
