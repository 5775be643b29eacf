import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { pushMetrics, renderMetrics } from '../../../experiments/results/index.ts'
import { freePort } from '../../support/sockets.ts'
import { passed } from './journals.ts'

interface Push {
  readonly method: string | undefined
  readonly path: string | undefined
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** As much of a Pushgateway as is needed: it answers, and keeps what was sent. */
async function startGateway(
  status = 200,
  text = '',
): Promise<AsyncDisposable & { readonly host: string; readonly pushes: Push[] }> {
  const pushes: Push[] = []
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method, url: path, headers } = request
      pushes.push({ method, path, headers, body: Buffer.concat(chunks).toString() })
      if (status > 0) response.writeHead(status).end(text)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    pushes,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('the figures replace those of the same experiment and environment', async () => {
  await using gateway = await startGateway()
  await pushMetrics(passed, `http://${gateway.host}`)
  expect(gateway.pushes).toEqual([
    {
      method: 'PUT',
      path: '/metrics/job/faultline/experiment/Checkout%20survives%20a%20slow%20payment%20service/environment/staging',
      headers: expect.objectContaining({ 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
      body: await renderMetrics(passed),
    },
  ])
})

test('a gateway may have a path and ask for a password', async () => {
  await using gateway = await startGateway()
  await pushMetrics(passed, `http://ci:s%40crets@${gateway.host}/gateway/`)
  expect(gateway.pushes[0]?.path).toMatch(/^\/gateway\/metrics\/job\//)
  expect(gateway.pushes[0]?.headers.authorization).toBe(`Basic ${Buffer.from('ci:s@crets').toString('base64')}`)
})

test.each([
  ['a/b', '@base64/YS9i'],
  ['', '@base64/='],
  // They would lead out of the group.
  ['..', '@base64/Li4'],
  ['ünï?#', '/%C3%BCn%C3%AF%3F%23'],
])('the title %j is a part of the path', async (title, part) => {
  await using gateway = await startGateway()
  await pushMetrics({ ...passed, title }, `http://${gateway.host}`)
  expect(gateway.pushes[0]?.path).toBe(`/metrics/job/faultline/experiment${part}/environment/staging`)
})

test('a refusal says why, and has no password in it', async () => {
  await using gateway = await startGateway(400, 'pushed metrics are invalid or inconsistent')
  const pushing = pushMetrics(passed, `http://ci:secret@${gateway.host}`)
  await expect(pushing).rejects.toThrow(
    `could not push metrics to http://${gateway.host}: status 400: pushed metrics are invalid or inconsistent`,
  )
  await expect(pushing).rejects.not.toThrow('secret')
})

test('a gateway that is not there, does not answer, or is none', async () => {
  const port = await freePort()
  await expect(pushMetrics(passed, `http://127.0.0.1:${port}`)).rejects.toThrow('ECONNREFUSED')
  await using silent = await startGateway(0)
  await expect(pushMetrics(passed, `http://${silent.host}`, { timeoutMs: 50 })).rejects.toThrow('no answer in 50 ms')
  await expect(pushMetrics(passed, 'pushgateway:9091')).rejects.toThrow('url: expected a URL that begins with http://')
})
