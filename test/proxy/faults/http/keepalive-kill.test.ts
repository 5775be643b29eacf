// http_keepalive_kill: an idle connection dies just as it is used again.
import http from 'node:http'
import { describe, expect, test } from 'vitest'
import { get, startHttp } from '../../../support/http-faults.ts'

const kill = (attributes: Record<string, unknown> = {}) => ({ type: 'http_keepalive_kill', attributes })

describe.each([
  { mode: 'fin', ending: 'FIN' },
  { mode: 'rst', ending: 'ECONNRESET' },
])('by $mode', ({ mode, ending }) => {
  test('lets the first request pass and ends the connection at the second, which the server does not get', async () => {
    await using proxied = await startHttp([kill({ mode })])
    const client = await proxied.connect()
    expect((await client.exchange(get('/first'))).body).toBe('/first')
    client.send(get('/second'))
    expect(await client.raw.untilEnded()).toBe(ending)
    expect(client.rest).toBe('')
    expect(await proxied.upstream.sockets[0]?.untilEnded()).toBe(ending)
    expect(proxied.upstream.lines).toEqual(['GET /first'])
  })
})

test('requests that are pipelined do not find an idle connection', async () => {
  await using proxied = await startHttp([kill()])
  const client = await proxied.connect()
  client.send(get('/1') + get('/2') + get('/3'))
  for (const path of ['/1', '/2', '/3']) expect((await client.answer()).body).toBe(path)
  client.send(get('/4'))
  expect(await client.raw.untilEnded()).toBe('FIN')
})

test('only connections that it can kill are counted', async () => {
  await using proxied = await startHttp([{ ...kill(), times: 1 }])
  const [one, two] = [await proxied.connect(), await proxied.connect()]
  await one.exchange(get('/1'))
  await two.exchange(get('/1'))
  one.send(get('/2'))
  expect(await one.raw.untilEnded()).toBe('FIN')
  expect((await two.exchange(get('/2'))).body).toBe('/2')
})

test("a real client's pool meets a dead connection, and says that it was used again", async () => {
  await using proxied = await startHttp([kill()])
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const load = (): Promise<{ outcome: string; reused: boolean }> =>
    new Promise((resolve) => {
      const sent = http.get(proxied.url, { agent }, (response) => {
        response.resume()
        response.on('end', () => resolve({ outcome: String(response.statusCode), reused: sent.reusedSocket }))
      })
      sent.on('error', (error: NodeJS.ErrnoException) =>
        resolve({ outcome: error.code ?? '', reused: sent.reusedSocket }),
      )
    })
  expect(await load()).toEqual({ outcome: '200', reused: false })
  expect(await load()).toEqual({ outcome: 'ECONNRESET', reused: true })
  // Tried again, as clients should: on a new connection it works.
  expect(await load()).toEqual({ outcome: '200', reused: false })
  agent.destroy()
})
