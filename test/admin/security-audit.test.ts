// The audit log: what stands in it, what does not, and what it does to the server.
import { once } from 'node:events'
import { mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { startAdminServer, type AdminServer, type AdminServerOptions } from '../../admin/index.ts'
import { AuditFile } from '../../admin/security/audit-file.ts'
import { send } from '../support/admin-requests.ts'
import { RawSocket } from '../support/sockets.ts'

/** How long to wait for what comes at once, on a machine that has much else to do. */
const patient = { timeout: 10_000 }

let folder: string
let path: string
const servers: AdminServer[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-audit-'))
  path = join(folder, 'audit.log')
})
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
  await rm(folder, { recursive: true })
})

async function start(options: AdminServerOptions = {}): Promise<AdminServer> {
  const server = await startAdminServer({ port: 0, auditLog: path, ...options })
  servers.push(server)
  return server
}

/** Closing the server writes all that is left. */
async function entriesAfterClose(file = path): Promise<any[]> {
  await Promise.all(servers.splice(0).map((server) => server.close()))
  return readEntries(file)
}

async function readEntries(file: string): Promise<any[]> {
  const text = await readFile(file, 'utf8')
  expect(text === '' || text.endsWith('\n')).toBe(true)
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}

const json = { 'content-type': 'application/json' }

describe('a line', () => {
  test('tells who did what, when, and with which result', async () => {
    const { url } = await start({ tokens: { ci: 'token-of-ci' } })
    const headers = { ...json, authorization: 'Bearer token-of-ci' }
    const fromMs = Date.now()
    const body = JSON.stringify({ name: 'a/b', upstream: 'x:1' })
    await send(url, { method: 'POST', path: '/v1/proxies', headers, body })
    const fault = JSON.stringify({ type: 'latency', name: 'slow', attributes: { latency: 1 } })
    await send(url, { method: 'POST', path: '/v1/proxies/a%2Fb/faults', headers, body: fault })
    await send(url, { method: 'DELETE', path: '/v1/proxies/a%2Fb/faults/slow', headers })
    const toMs = Date.now()

    const entries = await entriesAfterClose()
    expect(entries).toHaveLength(3)
    for (const entry of entries) {
      expect(entry).toMatchObject({ log: 'audit', client: { address: '127.0.0.1', token: 'ci' } })
      expect(entry.requestId).toMatch(/^[\da-f-]{36}$/)
      expect(Date.parse(entry.time)).toBeGreaterThanOrEqual(fromMs)
      expect(Date.parse(entry.time)).toBeLessThanOrEqual(toMs)
    }
    const [created, added, removed] = entries
    expect(created).toMatchObject({ method: 'POST', path: '/v1/proxies', route: '/v1/proxies', status: 201 })
    expect(created.target).toEqual({ name: 'a/b' })
    expect(added).toMatchObject({ path: '/v1/proxies/a%2Fb/faults', status: 201 })
    expect(added.target).toEqual(expect.objectContaining({ name: 'slow', type: 'latency' }))
    expect(Object.values(added.target)).toContain('a/b')
    expect(added.created).toBe('/v1/proxies/a%2Fb/faults/slow')
    expect(removed).toMatchObject({ method: 'DELETE', path: '/v1/proxies/a%2Fb/faults/slow', status: 204 })
    expect(Object.values(removed.target)).toEqual(expect.arrayContaining(['a/b', 'slow']))
  })

  test("is written for Toxiproxy's API, too", async () => {
    const { url } = await start()
    await send(url, { method: 'POST', path: '/proxies', body: '{"name":"p","upstream":"x:1"}' })
    await send(url, { method: 'POST', path: '/populate', body: '[{"name":"q","upstream":"x:1"},{"name":"r"}]' })
    await send(url, { method: 'POST', path: '/proxies/p/toxics', body: '{"type":"latency"}' })
    await send(url, { method: 'POST', path: '/reset' })
    const entries = await entriesAfterClose()
    expect(entries.map(({ target }) => target)).toEqual([
      { name: 'p' },
      [{ name: 'q' }, { name: 'r' }],
      { proxy: 'p', type: 'latency' },
      {},
    ])
    expect(entries.map(({ client }) => client.token)).toEqual([null, null, null, null])
  })

  test('is written for what is refused', async () => {
    const { url } = await start({ token: 'right' })
    const authorization = 'Bearer right'
    await send(url, { method: 'POST', path: '/v1/proxies' })
    await send(url, { method: 'DELETE', path: '/v1/nope', headers: { authorization } })
    await send(url, { method: 'POST', path: '/v1/proxies', headers: { ...json, authorization }, body: '{"name":' })
    await send(url, { method: 'DELETE', path: '/proxies/none', headers: { authorization } })
    await send(url, { method: 'POST', path: '/reset', headers: { origin: 'https://evil.example' } })
    const entries = await entriesAfterClose()
    expect(entries.map(({ status }) => status)).toEqual([401, 404, 400, 404, 403])
    expect(entries.map(({ client }) => client.token)).toEqual([null, 'default', 'default', 'default', null])
    expect(entries[1].route).toBeNull()
  })

  test('is not written for what reads', async () => {
    const { url } = await start()
    for (const each of ['/v1/proxies', '/proxies', '/healthz', '/metrics', '/nope']) await send(url, { path: each })
    expect(await entriesAfterClose()).toEqual([])
  })

  test('is written for a client that does not wait for its answer', async () => {
    const { url, network } = await start()
    const socket = await RawSocket.connect(Number(new URL(url).port))
    // One after the other, and a name is looked up for each: long enough to leave in between, and to be noticed.
    const listen = 'localhost:0'
    const body = JSON.stringify(Array.from({ length: 50 }, (_, i) => ({ name: `p${i}`, listen, upstream: 'x:1' })))
    socket.write(`POST /populate HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
    await new Promise((resolve) => network.changes.subscribe(resolve))
    socket.socket.resetAndDestroy()
    expect(network.proxy('p49')).toBeUndefined()
    await vi.waitUntil(() => network.proxy('p49') !== undefined, patient)
    const [entry, ...others] = await entriesAfterClose()
    expect(others).toEqual([])
    expect(entry).toMatchObject({ method: 'POST', path: '/populate', status: 201 })
    expect(entry.target).toHaveLength(50)
  })

  test('has no secrets: neither keys of certificates nor tokens', async () => {
    const { url } = await start({ token: 'token-secret' })
    const headers = { ...json, authorization: 'Bearer token-secret' }
    const proxy = { name: 'p', upstream: 'x:1', protocol: 'postgres', tlsKey: 'key-secret', tlsCertificate: 'secret' }
    await send(url, { method: 'POST', path: '/v1/proxies', headers, body: JSON.stringify(proxy) })
    await send(url, { method: 'POST', path: '/proxies?token=query-secret', headers, body: JSON.stringify(proxy) })
    await send(url, { method: 'PATCH', path: '/v1/proxies/p', headers, body: JSON.stringify({ tlsKey: 'key-secret' }) })
    await entriesAfterClose()
    const text = await readFile(path, 'utf8')
    expect(text.split('\n')).toHaveLength(4)
    expect(text).not.toContain('secret')
    expect(text).toContain('/proxies?token=***')
  })
})

describe('the file', () => {
  test('is its owner’s alone, and is appended to', async () => {
    const umask = process.umask(0)
    try {
      await start()
    } finally {
      process.umask(umask)
    }
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await send(servers[0]!.url, { method: 'POST', path: '/reset' })
    expect(await entriesAfterClose()).toHaveLength(1)
    const { url } = await start()
    await send(url, { method: 'POST', path: '/reset' })
    expect(await entriesAfterClose()).toHaveLength(2)
  })

  test('is begun anew when it is renamed, and no line is lost', async () => {
    const { url } = await start()
    await send(url, { method: 'POST', path: '/first' })
    await vi.waitUntil(async () => (await readEntries(path)).length === 1, patient)
    await rename(path, `${path}.1`)
    await send(url, { method: 'POST', path: '/second' })
    await send(url, { method: 'POST', path: '/third' })
    expect((await entriesAfterClose()).map((entry) => entry.path)).toEqual(['/second', '/third'])
    expect((await readEntries(`${path}.1`)).map((entry) => entry.path)).toEqual(['/first'])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('that is full does not stop the server, which says so once', async () => {
    const lines: string[] = []
    const logger = pino({ level: 'error' }, { write: (line: string) => void lines.push(line) })
    // Linux' device that every write fails on with ENOSPC.
    const { url } = await start({ auditLog: '/dev/full', logger })
    for (let i = 0; i < 5; i++) expect((await send(url, { method: 'POST', path: '/reset' })).status).toBe(204)
    await vi.waitUntil(() => lines.length > 0, patient)
    for (let i = 0; i < 5; i++) expect((await send(url, { method: 'POST', path: '/reset' })).status).toBe(204)
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      expect.objectContaining({ msg: 'the audit log can not be written', path: '/dev/full' }),
    ])
  })

  test('counts the lines that were too many to wait', async () => {
    const file = await AuditFile.open(path, () => undefined)
    const line = JSON.stringify({ text: 'x'.repeat(1_000_000) })
    // All in one go: the first is being written meanwhile, and four fit into the 4 MiB that may wait.
    for (let i = 0; i < 10; i++) file.add(line)
    await file.close()
    const entries = await readEntries(path)
    expect(entries.filter(({ text }) => text !== undefined)).toHaveLength(5)
    expect(entries.filter(({ dropped }) => dropped !== undefined)).toEqual([{ log: 'audit', dropped: 5 }])
  })
})

test('a request that comes while the server ends is in it', async () => {
  const { url } = await start()
  const port = Number(new URL(url).port)
  const socket = await RawSocket.connect(port)
  socket.write('POST /reset HTTP/1.1\r\nhost: localhost\r\n')
  await send(url, { path: '/healthz' }) // the server has read the above, which was sent before
  const ended = once(socket.socket, 'end')
  const entries = entriesAfterClose()
  await vi.waitUntil(
    async () =>
      send(url, { path: '/healthz' }).then(
        () => false,
        () => true,
      ),
    patient,
  )
  socket.write('\r\n')
  await ended
  socket.socket.destroy()
  expect(await entries).toMatchObject([{ path: '/reset', status: 503 }])
})
