// The client of the admin API, against our server, and against servers that misbehave.
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { getGlobalDispatcher, MockAgent, setGlobalDispatcher } from 'undici'
import { AdminClient, isAdminClientError, type AdminClientError, type AdminClientOptions } from '../../admin/client.ts'
import { startAdminServer, type AdminServer } from '../../admin/index.ts'
import { version } from '../../proxy/version.ts'

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

const disabled = { listen: '127.0.0.1:0', upstream: '127.0.0.1:1', enabled: false }

describe('against a server', () => {
  test('proxies are created, read, changed and deleted', async () => {
    const created = await client.createProxy({ name: 'a', listen: '127.0.0.1:0', upstream: '127.0.0.1:1' })
    expect(created).toMatchObject({ name: 'a', enabled: true, toxics: [] })
    expect(await client.proxy('a')).toEqual(created)
    expect(await client.proxies()).toEqual({ a: created })
    expect(await client.updateProxy('a', { enabled: false })).toEqual({ ...created, enabled: false })
    expect(await client.deleteProxy('a')).toBeUndefined()
    expect(await client.proxies()).toEqual({})
  })

  test('toxics are added, changed and removed', async () => {
    await client.createProxy({ name: 'a', ...disabled })
    const toxic = await client.addToxic('a', { type: 'latency', stream: 'upstream', attributes: { latency: 5 } })
    expect(toxic).toEqual({
      name: 'latency_upstream',
      type: 'latency',
      stream: 'upstream',
      toxicity: 1,
      attributes: { latency: 5, jitter: 0 },
    })
    const changed = { ...toxic, toxicity: 0.5, attributes: { latency: 5, jitter: 2 } }
    const update = { toxicity: 0.5, attributes: { jitter: 2 } }
    expect(await client.updateToxic('a', 'latency_upstream', update)).toEqual(changed)
    expect((await client.proxy('a')).toxics).toEqual([changed])
    expect(await client.removeToxic('a', 'latency_upstream')).toBeUndefined()
    expect((await client.proxy('a')).toxics).toEqual([])
  })

  test("the version is Toxiproxy's", async () => {
    expect(await client.version()).toMatch(/^\d+\.\d+\.\d+$/)
  })

  test.each(['a/b', '..', 'ü ?#%25&', 'toxics', '日本'])('a name may be %j', async (name) => {
    await client.createProxy({ name, ...disabled })
    await client.addToxic(name, { type: 'noop', name })
    await client.updateToxic(name, name, { toxicity: 0 })
    expect(await client.proxy(name)).toMatchObject({ name, toxics: [{ name, toxicity: 0 }] })
    await client.removeToxic(name, name)
    await client.deleteProxy(name)
    expect(await client.proxies()).toEqual({})
  })

  test("a refusal has the server's status and reason, and says what was refused", async () => {
    expect(await failure(client.proxy('none'))).toMatchObject({
      code: 'refused',
      status: 404,
      reason: 'proxy not found',
      message: `${server.url} refused GET /proxies/none: proxy not found (HTTP 404)`,
    })
  })

  test("nobody's mocks of undici get in between", async () => {
    const present = getGlobalDispatcher()
    const mock = new MockAgent()
    mock.disableNetConnect()
    setGlobalDispatcher(mock)
    try {
      expect(await client.proxies()).toEqual({})
    } finally {
      setGlobalDispatcher(present)
      await mock.close()
    }
  })
})

async function failure(call: Promise<unknown>): Promise<AdminClientError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!isAdminClientError(error)) throw new Error('expected an AdminClientError', { cause: error })
  return error
}

/** Runs with a client of a server that answers like this. */
async function answering<Result>(
  listener: RequestListener,
  run: (client: AdminClient, url: string) => Promise<Result>,
  options: AdminClientOptions = {},
): Promise<Result> {
  const other = createServer(listener).listen(0, '127.0.0.1')
  await once(other, 'listening')
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
  const otherClient = new AdminClient(url, options)
  try {
    return await run(otherClient, url)
  } finally {
    await otherClient.close()
    other.closeAllConnections()
    other.close()
  }
}

const answerWithoutEnd: RequestListener = (_request, response) => {
  const endless = new Readable({ read: () => void endless.push(Buffer.alloc(1024 * 1024, ' ')) })
  endless.pipe(response.on('close', () => endless.destroy()))
}

describe('against other servers', () => {
  test('it says who it is, and is no browser', async () => {
    let headers: IncomingHttpHeaders = {}
    const listener: RequestListener = (request, response) => {
      headers = request.headers
      response.end('{}')
    }
    await answering(listener, (other) => other.proxies())
    expect(headers['user-agent']).toBe(`faultline-cli/${version}`)
  })

  test('a base path is kept', async () => {
    const paths: (string | undefined)[] = []
    const listener: RequestListener = (request, response) => {
      paths.push(request.url)
      response.end('{}')
    }
    await answering(listener, async (_other, url) => {
      const prefixed = new AdminClient(`${url}/faults/`)
      await prefixed.proxies()
      await prefixed.close()
    })
    expect(paths).toEqual(['/faults/proxies'])
  })

  test.each([
    ['plain text', 404, '404 page not found\nmore', '404 page not found'],
    ['nothing', 502, '', 'no reason given'],
    ['other JSON', 500, '{"error":5}', '{"error":5}'],
  ])('a refusal in %s has a reason, too', async (_name, status, body, reason) => {
    const listener: RequestListener = (_request, response) => {
      response.writeHead(status).end(body)
    }
    const error = await answering(listener, (other) => failure(other.proxies()))
    expect(error).toMatchObject({ code: 'refused', status, reason })
  })

  test.each([
    ['is not JSON', '<html>'],
    ['is nothing', ''],
    ['has another shape', '{"a":{"name":"a"}}'],
    ['is a list', '[1]'],
  ])('an answer that %s is not taken for one', async (_name, body) => {
    const listener: RequestListener = (_request, response) => {
      response.end(body)
    }
    const error = await answering(listener, (other) => failure(other.proxies()))
    expect(error).toMatchObject({ code: 'bad_answer', message: expect.stringContaining('is it the right server?') })
  })

  test('an answer without end is not read to the end', async () => {
    const error = await answering(answerWithoutEnd, (other) => failure(other.proxies()))
    expect(error).toMatchObject({ code: 'bad_answer', message: expect.stringMatching(/more than \d+ bytes/) })
  })

  test.each([
    ['no answer', (): void => undefined],
    ['half an answer', ((_request, response) => response.write('{')) satisfies RequestListener],
  ])('%s in time is a timeout', async (_name, listener) => {
    const error = await answering(listener, (other) => failure(other.proxies()), { timeoutMs: 50 })
    expect(error).toMatchObject({ code: 'timeout', message: expect.stringMatching(/gave no answer within 0\.05 s$/) })
  })

  test.each([
    ['before the answer', ((request) => request.socket.destroy()) satisfies RequestListener],
    [
      'in the middle of it',
      ((request, response) => {
        response.write('{', () => request.socket.destroy())
      }) satisfies RequestListener,
    ],
  ])('a connection that ends %s is a server that can’t be reached', async (_name, listener) => {
    expect(await answering(listener, (other) => failure(other.proxies()))).toMatchObject({ code: 'unreachable' })
  })

  test('nobody who listens is a server that can’t be reached', async () => {
    const nobody = new AdminClient('http://127.0.0.1:1')
    expect(await failure(nobody.proxies())).toMatchObject({
      code: 'unreachable',
      status: undefined,
      message: 'cannot reach http://127.0.0.1:1: ECONNREFUSED',
    })
    await nobody.close()
  })

  test.each(['', 'localhost:8474', 'ftp://x', 'http://'])('the URL %j is refused at once', (url) => {
    expect(() => new AdminClient(url)).toThrow(/url: expected an http:\/\/ or https:\/\/ URL, got/)
  })
})
