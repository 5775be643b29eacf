// Replays conversations recorded with the real Toxiproxy server (main branch of May 2026).
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'

interface Step {
  readonly request: { method: string; path: string; body?: string; headers?: Record<string, string> }
  readonly response: { status: number; contentType?: string; body?: unknown }
}

const recordings = JSON.parse(readFileSync(join(import.meta.dirname, 'toxiproxy-recordings.json'), 'utf8')) as {
  name: string
  steps: Step[]
}[]

/** One recording needs a port that is in use: the recorded server's own. */
const PORT = 28474

let server: AdminServer
beforeAll(async () => {
  server = await startAdminServer({ port: PORT })
})
afterAll(() => server.close())

test('there are 87 recordings', () => {
  expect(recordings).toHaveLength(87)
})

for (const { name, steps } of recordings) {
  test(`answers like Toxiproxy: ${name}`, async () => {
    for (const proxy of server.network.proxies) await server.network.removeProxy(proxy.name)
    for (const { request, response } of steps) {
      const answer = await send(request)
      expect(answer.status).toBe(response.status)
      if (response.contentType !== undefined) expect(answer.contentType).toBe(response.contentType)
      if (response.body !== undefined) compare(answer.body, response.body, response.status)
      if (response.status < 400) expect(answer.requestId).toMatch(/./)
    }
  })
}

/** Every recorded key must be there with its value; more keys are fine; lists have equal length. */
function compare(actual: unknown, expected: unknown, status: number, path = 'body'): void {
  if (typeof expected === 'string') return compareText(actual, expected, status, path)
  if (typeof expected !== 'object' || expected === null) return expect(actual, path).toBe(expected)
  if (Array.isArray(expected)) expect(actual, path).toHaveLength(expected.length)
  // Objects that map names to things must not have more of them.
  else if (Object.keys(expected).length === 0) return expect(actual, path).toEqual({})
  for (const [key, value] of Object.entries(expected)) {
    expect(actual, path).toHaveProperty([key])
    compare((actual as Record<string, unknown>)[key], value, status, `${path}.${key}`)
  }
}

function compareText(actual: unknown, expected: string, status: number, path: string): void {
  expect(actual, path).toBeTypeOf('string')
  const badBody = 'bad request body: '
  if (path.endsWith('.error') && status === 500) return
  if (path.endsWith('.version')) return
  if (expected.startsWith(badBody)) expect((actual as string).startsWith(badBody), path).toBe(true)
  else if (expected.includes('<port>')) {
    const [before, after] = expected.split('<port>') as [string, string]
    expect(actual, path).toMatch(new RegExp(`^${escape(before)}[1-9]\\d*${escape(after)}$`))
  } else expect(actual, path).toBe(expected)
}

interface Answer {
  readonly status: number
  readonly contentType: string | undefined
  readonly requestId: unknown
  readonly body: unknown
}

/** node:http, because fetch adds a content type of its own. */
function send({ method, path, body, headers = {} }: Step['request']): Promise<Answer> {
  const given = Object.entries({ 'content-type': 'application/json', ...headers }).filter(([, value]) => value !== '')
  return new Promise((resolve, reject) => {
    const request = httpRequest({ port: PORT, host: '127.0.0.1', method, path, headers: Object.fromEntries(given) })
    request.on('error', reject)
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        const { statusCode: status = 0, headers: got } = response
        const { 'content-type': contentType, 'x-toxiproxy-request-id': requestId } = got
        resolve({ status, contentType, requestId, body: parse(text) })
      })
    })
    request.end(body)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function escape(text: string): string {
  return text.replaceAll(/[[\].:]/g, String.raw`\$&`)
}
