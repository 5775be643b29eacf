// `faultline serve --config --state`: the files, as the built server follows and keeps them.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { faultline, inProcess, LongRunning, parseLog, serve, type LogLine, type Serving } from './support.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-files-'))
})
afterAll(() => rm(folder, { recursive: true }))

let files = 0
function newPath(extension: string): string {
  return join(folder, `${++files}.${extension}`)
}

function config(latency: number, ...more: string[]): string {
  const fault = `{ type: latency, attributes: { latency: ${latency} } }`
  return ['proxies:', '  a:', '    upstream: 127.0.0.1:1', `    faults: [${fault}]`, ...more, ''].join('\n')
}

async function logged(server: Serving, matches: (line: LogLine) => boolean): Promise<LogLine> {
  return parseLog(await server.process.line((line) => matches(parseLog(line))))
}

async function faultsOf(server: Serving, proxy: string): Promise<unknown[]> {
  const { toxics } = (await (await fetch(`${server.url}/proxies/${proxy}`)).json()) as {
    toxics: { name: string; attributes: unknown }[]
  }
  return toxics.map(({ name, attributes }) => [name, attributes])
}

async function addToxic(server: Serving, proxy: string, toxic: object): Promise<void> {
  const answer = await fetch(`${server.url}/proxies/${proxy}/toxics`, { method: 'POST', body: JSON.stringify(toxic) })
  expect(answer.status).toBe(200)
}

describe.concurrent('the configuration file', () => {
  test('is followed: a change takes hold, a broken file is logged with its place and changes nothing', async () => {
    const path = newPath('yaml')
    await writeFile(path, config(5))
    await using server = await serve(['--config', path])
    await writeFile(path, config(5, '  b: {}'))
    const rejected = await logged(server, ({ event }) => event === 'config_rejected')
    expect(rejected).toMatchObject({ level: 'error', config: path })
    expect(rejected.msg).toMatch(/\.yaml:5:3: proxies\.b\.upstream: missing/)
    await writeFile(path, config(7, '  b: { upstream: "x:1" }'))
    const reloaded = await logged(server, ({ msg }) => msg === 'configuration reloaded')
    expect(reloaded).toMatchObject({ created: ['b'], changed: ['a'], removed: [], failed: 0 })
    expect(await faultsOf(server, 'a')).toEqual([['latency_downstream', { latency: 7, jitter: 0 }]])
    const feed = (await (await fetch(`${server.url}/v1/events?types=config_rejected,config_reloaded`)).json()) as object
    expect(feed).toMatchObject({
      events: [
        {
          type: 'config_rejected',
          detail: {
            file: path,
            line: 5,
            column: 3,
            message: expect.stringMatching(/^proxies\.b\.upstream: missing/),
            problems: 1,
          },
        },
        { type: 'config_reloaded', detail: { file: path, created: 1, changed: 1, removed: 0, failed: 0 } },
      ],
    })
    // Read again all the same, which changes nothing.
    server.process.signal('SIGHUP')
    const again = await logged(server, (line) => line.msg === 'configuration reloaded' && line.time !== reloaded.time)
    expect(again).toMatchObject({ created: [], changed: [], removed: [], failed: 0 })
  })

  test('says seed, address and what requests need; flags come before it', async () => {
    const path = newPath('yaml')
    await writeFile(path, 'seed: 77\nadmin:\n  listen: 127.0.0.2:0\n  token: secret\n')
    await using running = LongRunning.faultline(['serve', '--config', path, '--seed', '5'])
    const start = parseLog(await running.line((line) => parseLog(line).msg === 'faultline started'))
    expect(start).toMatchObject({ seed: 5, host: '127.0.0.2' })
    expect((await fetch(`http://127.0.0.2:${String(start['port'])}/proxies`)).status).toBe(401)
  })

  test('that is wrong is a usage error, which says where to see the rest', async () => {
    const path = newPath('yaml')
    await writeFile(path, 'sed: 1\nproxis: 2\n')
    const { code, stdout, stderr } = await inProcess(['serve', '--port', '0', '--config', path])
    expect(stderr).toContain(`--config: ${path}:1:1: sed: unknown field (did you mean "seed"?)`)
    expect(stderr).toContain(`; and 1 more, which "faultline validate ${path}" shows`)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})

describe.concurrent('the state file', () => {
  // Three servers, one after the other.
  test(
    'brings back what the API has done, however the server has ended',
    { timeout: 60_000 },
    async ({ expect: poll }) => {
      const [path, state] = [newPath('yaml'), newPath('json')]
      await writeFile(path, config(5))
      const args = ['--config', path, '--state', state]
      {
        await using server = await serve(args)
        await addToxic(server, 'a', { name: 'slow', type: 'latency', attributes: { latency: 9 } })
        await server.process.stop('SIGTERM')
      }
      // Edited while nobody was looking.
      await writeFile(path, config(6))
      {
        await using server = await serve(args)
        await addToxic(server, 'a', { name: 'more', type: 'noop' })
        await poll.poll(() => readFile(state, 'utf8')).toContain('"more"')
        await server.process.stop('SIGKILL')
      }
      await using server = await serve(args)
      expect(await faultsOf(server, 'a')).toEqual([
        ['latency_downstream', { latency: 6, jitter: 0 }],
        ['slow', { latency: 9, jitter: 0 }],
        ['more', {}],
      ])
    },
  )

  test('that can not be read is a usage error: nothing starts without it', async () => {
    const state = newPath('json')
    await writeFile(state, '{"version": 1')
    const { code, stdout, stderr } = await inProcess(['serve', '--port', '0', '--state', state])
    expect(stderr).toContain(`--state: state: ${state}: expected what --state has written`)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })

  test('that can not be written fails', async () => {
    const state = join(folder, 'none', 'state.json')
    const { code, stderr } = await faultline(['serve', '--port', '0', '--state', state], { LOG_LEVEL: 'disabled' })
    expect(stderr).toContain(`--state ${state}: expected a file that can be written: ENOENT`)
    expect(code).toBe(1)
  })
})
