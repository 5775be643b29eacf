// The clients that people use, each sending the same kinds of requests, and telling what it was told.
import { execFile, execFileSync } from 'node:child_process'
import http from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client, fetch as undiciFetch } from 'undici'

export interface RealClient {
  readonly name: string
  /** Why it can't be used on this machine; undefined if it can. */
  readonly missing: string | undefined
  /** Which of its connections takes a request is left to chance. */
  readonly pools?: boolean
  /** Sends its requests to this port of 127.0.0.1, on one connection where it can, and resolves with what it saw. */
  run(port: number): Promise<string>
}

const run = promisify(execFile)

const nodeHttp: RealClient = {
  name: 'node:http',
  missing: undefined,
  async run(port) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const seen: string[] = []
    const say = (...words: unknown[]): void => void seen.push(JSON.stringify(words))
    const exchange = (method: string, path: string, headers: http.OutgoingHttpHeaders = {}, ...body: string[]) =>
      new Promise<void>((resolve, reject) => {
        const request = http.request({ port, host: '127.0.0.1', method, path, headers, agent })
        const send = (): void => {
          for (const part of body) request.write(part)
          request.end()
        }
        request.on('error', reject)
        request.on('information', ({ statusCode, rawHeaders }) => say('information', statusCode, rawHeaders))
        request.on('continue', () => {
          say('continue')
          send()
        })
        request.on('response', (answer) => {
          let content = ''
          answer.setEncoding('latin1').on('data', (text: string) => (content += text))
          answer.on('error', reject).on('end', () => {
            const { httpVersion, statusCode, statusMessage, rawHeaders, rawTrailers } = answer
            say(method, path, request.reusedSocket, httpVersion, statusCode, statusMessage, rawHeaders)
            say(content, rawTrailers)
            resolve()
          })
        })
        if (headers['Expect'] === undefined) send()
        else request.flushHeaders()
      })
    await exchange('GET', '/first')
    await exchange('GET', '/second', { 'X-Odd-CASE': ['a', 'b'] })
    await exchange('POST', '/length', { 'Content-Length': 10 }, 'hello', 'world')
    await exchange('POST', '/chunked', {}, 'hello', 'world')
    await exchange('HEAD', '/head')
    await exchange('PUT', '/expect', { Expect: '100-continue', 'Content-Length': 5 }, 'hello')
    await exchange('GET', '/hints')
    await exchange('PUT', '/refuse', { Expect: '100-continue', 'Content-Length': 5 }, 'hello').catch((error: Error) =>
      say(error.message),
    )
    await exchange('GET', '/close')
    agent.destroy()
    return seen.join('\n')
  },
}

async function* inParts(): AsyncGenerator<Buffer> {
  yield Buffer.from('hello')
  yield Buffer.from('world')
}

const undici: RealClient = {
  name: 'undici',
  missing: undefined,
  async run(port) {
    const client = new Client(`http://127.0.0.1:${port}`)
    const seen: string[] = []
    const say = (...words: unknown[]): void => void seen.push(JSON.stringify(words))
    const exchange = async (
      method: 'GET' | 'POST' | 'HEAD' | 'PUT',
      path: string,
      options: object = {},
    ): Promise<void> => {
      const onInfo = (information: { statusCode: number; headers: unknown }): void => say('information', information)
      const answer = await client.request({ method, path, onInfo, responseHeaders: 'raw', ...options })
      const content = await answer.body.text()
      say(method, path, answer.statusCode, answer.headers, content, answer.trailers)
    }
    await exchange('GET', '/first')
    await exchange('GET', '/second', { headers: ['X-Odd-CASE', 'a', 'x-odd-case', 'b'] })
    await exchange('POST', '/length', { body: 'hello' })
    await exchange('POST', '/chunked', { body: inParts() })
    await exchange('HEAD', '/head')
    await exchange('PUT', '/expect', { body: 'hello', expectContinue: true })
    await exchange('GET', '/hints')
    await exchange('GET', '/close')
    await client.close()
    return seen.join('\n')
  },
}

/** The fetch of Node and that of the package differ in version. */
function fetchClient(name: string, fetch: typeof globalThis.fetch): RealClient {
  return {
    name,
    missing: undefined,
    pools: true,
    async run(port) {
      const seen: string[] = []
      const exchange = async (path: string, options: RequestInit & { duplex?: 'half' } = {}): Promise<void> => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, options)
        const { status, statusText, headers, url } = answer
        seen.push(JSON.stringify([url, status, statusText, [...headers], await answer.text()]))
      }
      await exchange('/first')
      await exchange('/second', { headers: { 'X-Odd-CASE': 'a' } })
      await exchange('/length', { method: 'POST', body: 'hello' })
      await exchange('/chunked', { method: 'POST', body: ReadableStream.from(inParts()), duplex: 'half' })
      await exchange('/head', { method: 'HEAD' })
      await exchange('/hints')
      await exchange('/close')
      return seen.join('\n')
    },
  }
}

const curl: RealClient = {
  name: 'curl',
  missing: absence('curl', '--version'),
  async run(port) {
    const requests: [path: string, ...flags: string[]][] = [
      ['/first'],
      ['/second', '--header', 'X-Odd-CASE: a'],
      ['/length', '--data', 'hello'],
      ['/chunked', '--data', 'hello', '--header', 'Transfer-Encoding: chunked'],
      ['/head', '--head'],
      ['/expect', '--upload-file', import.meta.filename, '--header', 'Expect: 100-continue'],
      ['/hints'],
      ['/refuse', '--request', 'PUT', '--data', 'hello', '--header', 'Expect: 100-continue'],
      ['/close'],
      ['/old', '--http1.0'],
    ]
    // Behind --next, options have to be said again. Connections are kept for the next request.
    const flags = [
      '--silent',
      '--show-error',
      '--include',
      '--write-out',
      '\n%{num_connects} %{http_version} %{size_download}\n',
    ]
    const args = requests.flatMap(([path, ...more], index) => [
      ...(index > 0 ? ['--next'] : []),
      ...flags,
      ...more,
      `http://127.0.0.1:${port}${path}`,
    ])
    const { stdout } = await run('curl', args)
    return stdout
  },
}

const python: RealClient = {
  name: 'Python http.client',
  missing: absence('python3', '--version'),
  run: async (port) => (await run('python3', [join(import.meta.dirname, 'http-client.py'), String(port)])).stdout,
}

const go: RealClient = {
  name: 'Go net/http',
  missing: absence('go', 'version'),
  run: async (port) => (await run('go', ['run', join(import.meta.dirname, 'http-client.go'), String(port)])).stdout,
}

function absence(command: string, flag: string): string | undefined {
  try {
    execFileSync(command, [flag], { stdio: 'ignore' })
    return undefined
  } catch {
    return `${command} is not on this machine`
  }
}

export const realClients: readonly RealClient[] = [
  nodeHttp,
  undici,
  fetchClient("Node's fetch", globalThis.fetch),
  fetchClient("undici's fetch", undiciFetch as unknown as typeof globalThis.fetch),
  curl,
  python,
  go,
]
