// Providers http and process, as the method of an experiment runs them: real servers, real programs.
import { execFileSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { RunOptions } from '../../../experiments/chaostoolkit/run.ts'
import type { ReadOptions } from '../../../experiments/chaostoolkit/read.ts'
import type { ActivityRun } from '../../../experiments/chaostoolkit/journal.ts'
import { startHttpService } from '../../support/http-service.ts'
import { freePort, RawServer } from '../../support/sockets.ts'
import { http, probe, program, run, shell } from './support.ts'

type Parts = Readonly<Record<string, unknown>>

/** What one activity of a method comes to. */
async function ask(provider: Parts, rest: Parts = {}, options: RunOptions & ReadOptions = {}): Promise<ActivityRun> {
  const { run: runs, status } = await run({ method: [probe('it', provider)], ...rest }, options)
  expect(status).toBe('completed')
  return runs[0]!
}

/** All that run, with their arguments. */
function programs(): string {
  return execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' })
}

/** Tells what it was asked. */
function startMirror() {
  return startHttpService((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url, headers } = request
      if (url === '/moved') return response.writeHead(302, { location: '/here' }).end()
      if (url === '/broken') return response.writeHead(503, { 'Content-Type': 'application/json' }).end('{')
      if (url === '/text') return response.writeHead(200, { 'X-Two': ['a', 'b'] }).end('{"a": 1}')
      response.writeHead(200, { 'Content-Type': 'application/json' })
      return response.end(
        JSON.stringify({
          method,
          url,
          type: headers['content-type'],
          token: headers['x-token'],
          body: Buffer.concat(chunks).toString(),
        }),
      )
    })
  })
}

describe('http', () => {
  test('asks with a query, a form or JSON, with values filled in', async () => {
    await using mirror = await startMirror()
    const rest = { configuration: { base: mirror.url, n: 5, list: [1, 2] }, secrets: { api: { token: 't-1' } } }
    const given = { n: '${n}', list: '${list}', flag: true, none: null }
    const asked = async (provider: Parts): Promise<unknown> => {
      const { output, status } = await ask(http('${base}/a?b=1', provider), rest)
      expect(status).toBe('succeeded')
      return (output as { body: unknown }).body
    }
    const headers = { 'X-Token': '${token}' }
    expect(await asked({ arguments: given, headers })).toEqual({
      method: 'GET',
      url: '/a?b=1&n=5&list=1&list=2&flag=True',
      token: 't-1',
      body: '',
    })
    const form = 'application/x-www-form-urlencoded'
    const url = '/a?b=1'
    expect(await asked({ method: 'post', arguments: given })).toEqual({
      method: 'POST',
      url,
      type: form,
      body: 'n=5&list=1&list=2&flag=True',
    })
    const json = { 'Content-Type': 'application/json' }
    expect(await asked({ method: 'PUT', headers: json, arguments: given })).toEqual({
      method: 'PUT',
      url,
      type: json['Content-Type'],
      body: '{"n":5,"list":[1,2],"flag":true,"none":null}',
    })
    expect(await asked({ method: 'DELETE', arguments: 'as it is' })).toEqual({
      method: 'DELETE',
      url,
      body: 'as it is',
    })
  })

  test('answers status, headers and body; no status is a failure', async () => {
    await using mirror = await startMirror()
    const { output, status } = await ask(http(`${mirror.url}/broken`))
    expect({ output, status }).toMatchObject({
      status: 'succeeded',
      output: { status: 503, headers: { 'Content-Type': 'application/json' }, body: '{' },
    })
    const text = await ask(http(`${mirror.url}/text`))
    expect(text.output).toMatchObject({ status: 200, headers: { 'X-Two': 'a, b' }, body: '{"a": 1}' })
    const moved = await ask(http(`${mirror.url}/moved`))
    expect(moved.output).toMatchObject({ status: 200, body: { url: '/here' } })
    const post = http(`${mirror.url}/moved`, { method: 'POST', arguments: { a: 1 } })
    expect((await ask(post)).output).toMatchObject({ body: { method: 'GET', url: '/here', body: '' } })
  })

  test('fails without a server, and tells no secrets', async () => {
    const port = await freePort()
    const rest = { secrets: { api: { token: 'hunter2' } } }
    const { status, output, exception } = await ask(
      http(`http://127.0.0.1:${port}/\${token}`, { max_retries: 2 }),
      rest,
    )
    expect({ status, output, exception }).toEqual({
      status: 'failed',
      output: null,
      exception: [`failed to connect to http://127.0.0.1:${port}/\${token}: ECONNREFUSED`],
    })
  })

  test('fails when the answer takes too long', async () => {
    await using silent = await RawServer.start()
    const slow = await ask(http(`http://${silent.address}/`, { timeout: 0.05 }))
    expect(slow.exception).toEqual(['activity took too long to complete'])
    const two = await ask(http(`http://${silent.address}/`, { timeout: [5, 0.05] }))
    expect(two.exception).toEqual(['activity took too long to complete'])
    // Timers are whole milliseconds; it ends long before what there is to connect.
    expect(two.duration).toBeGreaterThan(0.045)
    expect(two.duration).toBeLessThan(4)
  })

  test('is given up at once when the run is interrupted', async () => {
    await using silent = await RawServer.start()
    const stop = new AbortController()
    const accepted = silent.next()
    const running = run({ method: [probe('it', http(`http://${silent.address}/`))] }, { signal: stop.signal })
    await (await accepted).untilBytes(1)
    stop.abort()
    const journal = await running
    expect(journal).toMatchObject({ status: 'interrupted', run: [{ status: 'failed', exception: ['interrupted'] }] })
  })
})

describe('process', () => {
  test('answers exit code and output; no exit code is a failure', async () => {
    const { status, output } = await ask(shell('echo out; echo err >&2; exit 3'))
    expect({ status, output }).toEqual({ status: 'succeeded', output: { status: 3, stdout: 'out\n', stderr: 'err\n' } })
    const killed = await ask(shell('kill -TERM $$'))
    expect(killed.output).toMatchObject({ status: -15 })
  })

  test('arguments are a list, an object or a text that is split without a shell', async () => {
    const rest = { configuration: { word: 'a b', n: 5, list: ['x', 'y z'] } }
    const printed = async (given: unknown, options: ReadOptions & RunOptions = {}): Promise<string> => {
      const { output } = await ask(program('printf', given), rest, options)
      return (output as { stdout: string }).stdout
    }
    expect(await printed(['[%s]', '${word}', 5, true, '', null, '$HOME'])).toBe('[a b][5][True][$HOME]')
    expect(await printed({ '[%s]': 'one', '--two': '', three: 3 })).toBe('[one][--two][three][3]')
    expect(await printed('"[%s]" "${word}" ${word} \'c  d\' e\\ f ${n}')).toBe('[a b][a][b][c  d][e f][5]')
    expect(await printed('${list}')).toBe('x')
    expect(await printed('%s $((1 + 1)) | tr 2 3', { allowShell: true })).toBe('3')
  })

  test('programs are found on the path, and in the home directory', async () => {
    const { output } = await ask(program('/bin/sh', ['-c', 'echo $0']))
    expect(output).toMatchObject({ stdout: '/bin/sh\n' })
  })

  test('a program that takes too long is killed with what it has started', async () => {
    // No other program of this machine sleeps for just so long.
    const seconds = randomInt(10_000, 100_000)
    const script = `setsid sleep 5 & sleep ${seconds} & wait`
    const { status, exception, duration } = await ask(shell(script, { timeout: 0.2 }))
    expect({ status, exception }).toEqual({
      status: 'failed',
      exception: ['process activity took too long to complete'],
    })
    // The other sleep, which has left, holds the output for 5 s.
    expect(duration).toBeLessThan(4)
    await expect.poll(programs).not.toContain(`sleep ${seconds}`)
  })

  test('is killed when the run is interrupted', async () => {
    const seconds = randomInt(10_000, 100_000)
    const stop = new AbortController()
    const running = run({ method: [probe('it', program('sleep', [seconds]))] }, { signal: stop.signal })
    await expect.poll(programs).toContain(`sleep ${seconds}`)
    stop.abort()
    expect(await running).toMatchObject({ status: 'interrupted', run: [{ status: 'failed' }] })
    expect(programs()).not.toContain(`sleep ${seconds}`)
  })
})
