// Large bodies through faults that look at their bytes, in a process of its own whose memory is watched.
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startServed, type Served } from '../../../support/served.ts'

/** The size; in short runs for one of the ways, and for the others three times the bound. */
const HUGE_BYTES = 1_000_000_000
const LARGE_BYTES = process.env['FAULTLINE_LONG'] ? HUGE_BYTES : 200_000_000
const PIECE = Buffer.alloc(256 * 1024, 'x')
/** The bound, above what the process takes when it is idle. */
const MEMORY_BOUND_BYTES = 64 * 1024 * 1024

/** A stage that every byte goes through and that never acts. */
const NEVER_TRUNCATED = { type: 'http_truncate', attributes: { afterBytes: 2 * HUGE_BYTES } }

let served: Served
let server: http.Server
let upstream: string

beforeAll(async () => {
  served = await startServed()
  server = http.createServer((request, response) => {
    if (request.method === 'POST') {
      let bytes = 0
      request.on('data', (chunk: Buffer) => (bytes += chunk.length))
      request.on('end', () => response.end(String(bytes)))
      return
    }
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://test')
    let left = Number(searchParams.get('bytes'))
    if (pathname === '/length') response.setHeader('content-length', left)
    const send = (): void => {
      while (left > 0) {
        const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left)
        left -= piece.length
        if (!response.write(piece)) return void response.once('drain', send)
      }
      response.end()
    }
    send()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  upstream = `127.0.0.1:${(server.address() as AddressInfo).port}`
  // Compiled and with its buffers in place, so that idle is idle.
  const warm = await proxied('warm', [NEVER_TRUNCATED])
  await download(warm, '/length', LARGE_BYTES)
})

afterAll(async () => {
  await served[Symbol.asyncDispose]()
  server.closeAllConnections()
  server.close()
})

async function proxied(name: string, faults: object[]): Promise<number> {
  const spec = { name, protocol: 'http', upstream, faults }
  const { listen } = await served.api('/v1/proxies', spec)
  return Number(listen.split(':')[1])
}

async function download(port: number, path: string, size: number): Promise<number> {
  const request = http.get({ port, path: `${path}?bytes=${size}`, agent: false })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let bytes = 0
  for await (const chunk of response) bytes += (chunk as Buffer).length
  return bytes
}

async function upload(port: number): Promise<number> {
  const request = http.request({ port, path: '/', method: 'POST', agent: false })
  for (let left = LARGE_BYTES; left > 0; left -= PIECE.length) {
    const piece = left >= PIECE.length ? PIECE : PIECE.subarray(0, left)
    if (!request.write(piece)) await once(request, 'drain')
  }
  request.end()
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return Number(text)
}

/** The most memory above idle while `work` runs, looked at every 20 ms. */
async function watched<Result>(work: () => Promise<Result>): Promise<{ result: Result; aboveIdleBytes: number }> {
  const idleBytes = served.residentBytes()
  let most = idleBytes
  const timer = setInterval(() => (most = Math.max(most, served.residentBytes())), 20)
  try {
    return { result: await work(), aboveIdleBytes: most - idleBytes }
  } finally {
    clearInterval(timer)
  }
}

describe('a large body', () => {
  test.each([
    ['down with a length, no fault', '/length', LARGE_BYTES, []],
    ['down in chunks, no fault', '/chunked', LARGE_BYTES, []],
    ['down with a length through stages', '/length', LARGE_BYTES, [NEVER_TRUNCATED]],
    ['down in chunks through stages, 1 GB', '/chunked', HUGE_BYTES, [NEVER_TRUNCATED]],
    [
      'down in chunks, held back again and again',
      '/chunked',
      LARGE_BYTES,
      [{ type: 'http_slow_body', attributes: { rateBytesPerSecond: 1_000_000_000 } }],
    ],
    [
      'down, too long for a patch',
      '/length',
      LARGE_BYTES,
      [{ type: 'http_corrupt', attributes: { replace: { find: 'x', with: 'y' } } }],
    ],
  ])(
    '%s',
    async (name, path, bytes, faults) => {
      const port = await proxied(name, faults)
      const { result, aboveIdleBytes } = await watched(() => download(port, path, bytes))
      expect(result).toBe(bytes)
      expect(aboveIdleBytes).toBeLessThan(MEMORY_BOUND_BYTES)
    },
    60_000,
  )

  test.each([
    ['up, no fault', []],
    ['up, behind a look at its beginning', [{ type: 'http_abort', match: { body: 'never' } }]],
  ])(
    '%s',
    async (name, faults) => {
      const port = await proxied(name, faults)
      const { result, aboveIdleBytes } = await watched(() => upload(port))
      expect(result).toBe(LARGE_BYTES)
      expect(aboveIdleBytes).toBeLessThan(MEMORY_BOUND_BYTES)
    },
    60_000,
  )
})
