// `faultline serve` with a token, an audit log and names of its own.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { faultline, inProcess, parseLog, serve } from './support.ts'

const FAULTLINE_TOKEN = 'token-from-the-environment'

describe('FAULTLINE_TOKEN', () => {
  test('is wanted by the server, sent by the commands, shown by neither, and saves a warning', async () => {
    await using server = await serve(['--host', '0.0.0.0'], { FAULTLINE_TOKEN })
    expect((await fetch(`${server.url}/proxies`)).status).toBe(401)
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200)
    const known = await faultline(['list', '--json', '--host', server.url], { FAULTLINE_TOKEN })
    expect(known).toMatchObject({ code: 0, stderr: '' })
    const unknown = await inProcess(['list', '--host', server.url], { FAULTLINE_TOKEN: 'another-token' })
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toMatch(/authorization: expected "Bearer" .* \(HTTP 401\)/)
    const { stdout, stderr } = await server.process.stop()
    expect(stdout + stderr + known.stdout + unknown.stderr).not.toMatch(/token-from|another-token/)
    // Of other machines that could get in.
    expect(server.process.lines.map(parseLog).filter(({ level }) => level === 'warn')).toEqual([])
  })

  test('that no header can hold is refused, and not shown', async () => {
    const { code, stdout, stderr } = await inProcess(['serve'], { FAULTLINE_TOKEN: 'two words' })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('FAULTLINE_TOKEN: expected visible ASCII characters without spaces')
    expect(stderr).not.toContain('two words')
  })

  test('that is empty is none', async () => {
    await using server = await serve([], { FAULTLINE_TOKEN: '' })
    expect((await fetch(`${server.url}/proxies`)).status).toBe(200)
  })
})

describe('--audit-log', () => {
  test('- writes to stdout, beside the log', async () => {
    await using server = await serve(['--audit-log', '-'])
    await fetch(`${server.url}/reset`, { method: 'POST' })
    const line = await server.process.line((text) => parseLog(text)['log'] === 'audit')
    expect(parseLog(line)).toMatchObject({ method: 'POST', path: '/reset', status: 204 })
    expect(await server.process.stop()).toMatchObject({ code: 0, stderr: '' })
  })

  test('FILE has all lines when the server has ended', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'faultline-cli-'))
    const path = join(folder, 'audit.log')
    await using server = await serve(['--audit-log', path])
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${server.url}/reset`, { method: 'POST' })))
    await server.process.stop()
    expect((await readFile(path, 'utf8')).match(/"status":204/g)).toHaveLength(20)
    await rm(folder, { recursive: true })
  })

  test('that can not be written fails with exit code 1 and says why', async () => {
    const { code, stderr } = await faultline(['serve', '--port', '0', '--audit-log', '/nowhere/at/all'])
    expect(code).toBe(1)
    expect(stderr).toBe(
      'faultline: auditLog: expected a file that can be written, or - for stdout, got /nowhere/at/all: ENOENT\n',
    )
  })
})

test('--allowed-host is another name of the API', async () => {
  await using server = await serve(['--allowed-host', 'faults.example.com', '--allowed-host', '.corp.example'])
  const statusOf = async (host: string): Promise<number> => {
    const asked = request(`${server.url}/proxies`, { headers: { host } })
    asked.end()
    const [answer] = await once(asked, 'response')
    answer.resume()
    return answer.statusCode
  }
  expect(await statusOf('faults.example.com:80')).toBe(200)
  expect(await statusOf('a.corp.example')).toBe(200)
  expect(await statusOf('evil.example')).toBe(403)
})
