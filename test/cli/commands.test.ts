// The everyday commands, each against a real server: what they do, what they print, what --json prints.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { AdminClient } from '../../admin/client.ts'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { faultline, inProcess, MAIN, shell, type Ended } from './support.ts'

let server: AdminServer
let client: AdminClient

beforeAll(async () => {
  server = await startAdminServer({ port: 0 })
  client = new AdminClient(server.url)
})
afterAll(async () => {
  await client.close()
  await server.close()
})
beforeEach(async () => {
  for (const name of Object.keys(await client.proxies())) await client.deleteProxy(name)
})

function run(...args: string[]): Promise<Ended> {
  return inProcess(args, { FAULTLINE_URL: server.url })
}

/** What a command that must succeed printed. */
async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
}

async function json(...args: string[]): Promise<unknown> {
  return JSON.parse(await printed(...args, '--json'))
}

/** A command that the server refuses: exit code 1, and the reason. */
async function refused(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
  return stderr
}

const disabled = { listen: '127.0.0.1:0', upstream: '127.0.0.1:6379', enabled: false }

async function createRedis(): Promise<void> {
  await client.createProxy({ name: 'redis', ...disabled })
}

async function addLatency(): Promise<void> {
  await client.addToxic('redis', { type: 'latency', attributes: { latency: 100, jitter: 5 } })
}

const redis = { name: 'redis', ...disabled, toxics: [] }

describe('create', () => {
  test('creates a proxy and says where it listens', async () => {
    const text = await printed('create', 'redis', '--listen', '127.0.0.1:0', '--upstream', '127.0.0.1:6379')
    const { listen, enabled } = await client.proxy('redis')
    expect(enabled).toBe(true)
    expect(text).toBe(`Created proxy redis: ${listen} → 127.0.0.1:6379\n`)
  })

  test('can leave it disabled, and has short flags', async () => {
    const text = await printed('create', '-l', '127.0.0.1:0', '-u', '127.0.0.1:6379', '--disabled', 'redis')
    expect(text).toBe('Created proxy redis: 127.0.0.1:0 → 127.0.0.1:6379 (disabled)\n')
    expect(await client.proxy('redis')).toEqual(redis)
  })

  test('--json prints the proxy', async () => {
    expect(await json('create', 'redis', '-l127.0.0.1:0', '-u=127.0.0.1:6379', '--disabled')).toEqual(redis)
  })

  test('fails for a name that is taken', async () => {
    await createRedis()
    expect(await refused('create', 'redis', '-l', '127.0.0.1:0', '-u', 'x:1')).toBe(
      `faultline: ${server.url} refused POST /proxies: proxy already exists (HTTP 409)\n`,
    )
  })
})

describe('list', () => {
  test('shows proxies by name, in aligned columns', async () => {
    await createRedis()
    await addLatency()
    await client.addToxic('redis', { type: 'noop' })
    await client.createProxy({ name: 'a-long-name', ...disabled, upstream: 'x:1' })
    expect(await printed('list')).toBe(
      [
        'NAME         LISTEN       UPSTREAM        STATE     TOXICS',
        'a-long-name  127.0.0.1:0  x:1             disabled  none',
        'redis        127.0.0.1:0  127.0.0.1:6379  disabled  latency_downstream, noop_downstream',
        '',
      ].join('\n'),
    )
  })

  test('says how to begin when there are none', async () => {
    expect(await printed('list')).toBe('There are no proxies. Create one with "faultline create".\n')
  })

  test('--json prints them by name', async () => {
    await createRedis()
    expect(await json('list')).toEqual({ redis })
  })

  test('is quiet when its reader has seen enough', async () => {
    const filler = 'x'.repeat(1000) // 200 of them are more than fits into a pipe
    for (let i = 0; i < 200; i++) await client.createProxy({ name: `${filler}${i}`, ...disabled })
    const { code, stdout, stderr } = await shell(`node ${MAIN} list --json --host ${server.url} | head -1`)
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '{\n', stderr: '' })
  })

  test('does not let a name steer the terminal', async () => {
    await client.createProxy({ name: 'a\u001b[2Jb', ...disabled })
    expect(await printed('list')).toContain('a\\x1b[2Jb')
  })
})

describe('inspect', () => {
  test('shows a proxy and its toxics', async () => {
    await createRedis()
    await addLatency()
    expect(await printed('inspect', 'redis')).toBe(
      [
        'Name      redis',
        'Listen    127.0.0.1:0',
        'Upstream  127.0.0.1:6379',
        'State     disabled',
        '',
        'TOXIC               TYPE     STREAM      TOXICITY  ATTRIBUTES',
        'latency_downstream  latency  downstream  1         latency=100 jitter=5',
        '',
      ].join('\n'),
    )
  })

  test('says that there are no toxics', async () => {
    await createRedis()
    expect(await printed('inspect', 'redis')).toContain('It has no toxics.')
  })

  test('--json prints the proxy', async () => {
    await createRedis()
    expect(await json('inspect', 'redis')).toEqual(redis)
  })

  test('fails for a proxy that does not exist', async () => {
    expect(await refused('inspect', 'rides')).toContain('refused GET /proxies/rides: proxy not found (HTTP 404)')
  })
})

describe('toggle', () => {
  test('enables a disabled proxy and disables an enabled one', async () => {
    await createRedis()
    expect(await printed('toggle', 'redis')).toBe('Proxy redis is now enabled\n')
    expect((await client.proxy('redis')).enabled).toBe(true)
    expect(await printed('toggle', 'redis')).toBe('Proxy redis is now disabled\n')
    expect((await client.proxy('redis')).enabled).toBe(false)
  })

  test('--json prints the proxy', async () => {
    await createRedis()
    expect(await json('toggle', 'redis')).toMatchObject({ name: 'redis', enabled: true })
  })
})

describe('delete', () => {
  test('deletes a proxy', async () => {
    await createRedis()
    expect(await printed('delete', 'redis')).toBe('Deleted proxy redis\n')
    expect(await client.proxies()).toEqual({})
  })

  test('--json says which', async () => {
    await createRedis()
    expect(await json('delete', 'redis')).toEqual({ deleted: 'redis' })
  })

  test('takes names that a path would not', async () => {
    await client.createProxy({ name: 'a/b ?..', ...disabled })
    await printed('delete', 'a/b ?..')
    expect(await client.proxies()).toEqual({})
  })
})

describe('toxic add', () => {
  test('adds a toxic', async () => {
    await createRedis()
    const args = ['toxic', 'add', 'redis', '--type', 'latency', '--attribute', 'latency=100', '--attribute', 'jitter=5']
    expect(await printed(...args)).toBe(
      'Added to proxy redis: latency_downstream (latency, downstream, toxicity 1): latency=100 jitter=5\n',
    )
  })

  test('--json prints the toxic; short flags do the same', async () => {
    await createRedis()
    const args = ['-t', 'slicer', '-n', 'cut', '-a', 'average_size=10', '-a', 'delay=50', '--toxicity', '.5', '-u']
    const toxic = {
      name: 'cut',
      type: 'slicer',
      stream: 'upstream',
      toxicity: 0.5,
      attributes: { average_size: 10, size_variation: 0, delay: 50 },
    }
    expect(await json('toxic', 'add', ...args, 'redis')).toEqual(toxic)
    expect((await client.proxy('redis')).toxics).toEqual([toxic])
  })

  test("takes the flags of Toxiproxy's CLI, also before the command", async () => {
    await createRedis()
    const { code } = await inProcess([
      '--host',
      server.url,
      'toxic',
      'add',
      '--toxicName',
      'x',
      '-t',
      'latency',
      '--downstream',
      '-a',
      'latency=1',
      'redis',
    ])
    expect(code).toBe(0)
    expect((await client.proxy('redis')).toxics).toMatchObject([{ name: 'x', stream: 'downstream' }])
  })

  test('refuses a type that the server does not know as a usage error, with a suggestion', async () => {
    await createRedis()
    const { code, stdout, stderr } = await run('toxic', 'add', 'redis', '-t', 'latencyy')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/--type: unknown toxic "latencyy" \(did you mean "latency"\?\), expected one of latency, /)
  })

  test('fails for a name that is taken', async () => {
    await createRedis()
    await addLatency()
    expect(await refused('toxic', 'add', 'redis', '-t', 'latency')).toContain('toxic already exists (HTTP 409)')
  })
})

describe('toxic update', () => {
  test('changes the attributes that are named, and nothing else', async () => {
    await createRedis()
    await client.addToxic('redis', { type: 'latency', toxicity: 0.5, attributes: { latency: 100, jitter: 5 } })
    expect(await printed('toxic', 'update', 'redis', '--name', 'latency_downstream', '-a', 'latency=200')).toBe(
      'Updated on proxy redis: latency_downstream (latency, downstream, toxicity 0.5): latency=200 jitter=5\n',
    )
  })

  test('changes the toxicity; --json prints the toxic', async () => {
    await createRedis()
    await addLatency()
    expect(await json('toxic', 'update', 'redis', '-n', 'latency_downstream', '--toxicity', '0')).toMatchObject({
      toxicity: 0,
      attributes: { latency: 100, jitter: 5 },
    })
  })

  test.each([
    ['latncy=1', '--attribute latncy: unknown field (did you mean "latency"?), expected one of latency, jitter'],
    ['latency=soon', '--attribute latency: expected an integer ≥ 0, got "soon"'],
  ])('refuses the attribute %s as a usage error', async (attribute, message) => {
    await createRedis()
    await addLatency()
    const { code, stdout, stderr } = await run('toxic', 'update', 'redis', '-n', 'latency_downstream', '-a', attribute)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect((await client.proxy('redis')).toxics).toMatchObject([{ attributes: { latency: 100, jitter: 5 } }])
  })

  test('fails for a toxic that does not exist', async () => {
    await createRedis()
    expect(await refused('toxic', 'update', 'redis', '-n', 'none', '--toxicity', '1')).toContain('toxic not found')
  })
})

describe('toxic remove', () => {
  test.each(['remove', 'delete'])('as %s removes a toxic', async (word) => {
    await createRedis()
    await addLatency()
    expect(await printed('toxic', word, 'redis', '--name', 'latency_downstream')).toBe(
      'Removed from proxy redis: latency_downstream\n',
    )
    expect((await client.proxy('redis')).toxics).toEqual([])
  })

  test('--json says which', async () => {
    await createRedis()
    await addLatency()
    expect(await json('toxic', 'remove', 'redis', '-n', 'latency_downstream')).toEqual({
      removed: 'latency_downstream',
      proxy: 'redis',
    })
  })
})

describe('the server', () => {
  test.each([
    ['--host', (url: string) => [['list', '--host', url], {}] as const],
    ['--host without http://', (url: string) => [['list', '--host', url.slice('http://'.length)], {}] as const],
    ['--host before the command', (url: string) => [[`--host=${url}`, '--json', 'list'], {}] as const],
    [
      'FAULTLINE_URL',
      (url: string) => [['list'], { FAULTLINE_URL: url, TOXIPROXY_URL: 'http://127.0.0.1:1' }] as const,
    ],
    ['TOXIPROXY_URL', (url: string) => [['list'], { TOXIPROXY_URL: url }] as const],
    ['--host over all others', (url: string) => [['list', '--host', url], { FAULTLINE_URL: 'http://x:1' }] as const],
  ])('is found by %s', async (_name, commandLine) => {
    await createRedis()
    const [args, env] = commandLine(server.url)
    const { code, stdout } = await inProcess(args, env)
    expect(code).toBe(0)
    expect(stdout).toContain('redis')
  })

  test('that is not there: exit code 1, its URL and what to do', async () => {
    const { code, stdout, stderr } = await faultline(['list', '--host', 'http://127.0.0.1:1', '--json'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(
      'faultline: cannot reach http://127.0.0.1:1: ECONNREFUSED; start a server with "faultline serve", ' +
        'or name another one with --host URL or FAULTLINE_URL\n',
    )
  })
})
