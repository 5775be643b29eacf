// Following the feed: parsing event streams, and going on after whatever breaks.
import { createServer, type RequestListener, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { EventStreamParser, type ServerSentEvent } from '../../admin/client/server-sent-events.ts'
import type { FeedEntryView } from '../../admin/client/v1-answers.ts'
import { V1Client } from '../../admin/client/v1-client.ts'

function parse(...chunks: string[]): ServerSentEvent[] {
  const parser = new EventStreamParser()
  return chunks.flatMap((chunk) => parser.push(Buffer.from(chunk)))
}

describe('an event stream', () => {
  test.each([
    ['a line end of each kind', 'data: a\n\ndata: b\r\n\r\ndata: c\r\rdata: d\n\n', ['a', 'b', 'c', 'd']],
    ['several lines of data', 'data: a\ndata:b\ndata\n\n', ['a\nb\n']],
    ['comments and fields that are not known', ': hello\nretry: 5\nnonsense\ndata: a\n\n', ['a']],
    ['no data', 'id: 1\nevent: x\n\n', []],
    ['an event that has no end', 'data: a', []],
    ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
  ])('with %s', (_name, text, data) => {
    expect(parse(text).map((event) => event.data)).toEqual(data)
  })

  test('has types for one event, and ids until the next', () => {
    expect(parse('id: 1\nevent: x\ndata: a\n\ndata: b\n\nid\ndata: c\n\n')).toEqual([
      { lastEventId: '1', type: 'x', data: 'a' },
      { lastEventId: '1', type: 'message', data: 'b' },
      { lastEventId: '', type: 'message', data: 'c' },
    ])
  })

  test('means the same wherever it is cut', () => {
    const bytes = Buffer.from('id: 1\r\nevent: größe\r\ndata: 😀\rdata: x\n\n: c\n\ndata: y\r\n\r\n')
    const whole = new EventStreamParser().push(bytes)
    expect(whole).toHaveLength(2)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 8 }), (cuts) => {
        const parser = new EventStreamParser()
        const places = [0, ...cuts.toSorted((a, b) => a - b), bytes.length]
        const events = places.slice(1).flatMap((end, index) => parser.push(bytes.subarray(places[index], end)))
        expect(events).toEqual(whole)
      }),
    )
  })

  test('with an event that does not end is given up', () => {
    const parser = new EventStreamParser()
    expect(() => {
      for (let i = 0; i < 20; i++) parser.push(Buffer.from(`data: ${'x'.repeat(100_000)}\n`))
    }).toThrow(RangeError)
  })
})

function entry(sequence: number, type = 'resumed', detail: object = {}): string {
  return `id: ${sequence}\nevent: ${type}\ndata: ${JSON.stringify({ sequence, timeMs: 0, type, detail })}\n\n`
}

/** Reads so many entries, then leaves. */
async function read(client: V1Client, count: number, broken: string[] = []): Promise<FeedEntryView[]> {
  const controller = new AbortController()
  const entries: FeedEntryView[] = []
  const options = { signal: controller.signal, broken: (reason: string) => broken.push(reason) }
  for await (const found of client.feed(options)) {
    entries.push(found)
    if (entries.length === count) controller.abort()
  }
  await client.close()
  return entries
}

describe('the feed', () => {
  let server: Server | undefined
  let startedMs = 0
  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function serve(events: RequestListener): Promise<V1Client> {
    server = createServer((request, response) => {
      if (request.url === '/v1/status') response.end(JSON.stringify({ stopped: false, events: 7, startedMs }))
      else events(request, response)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new V1Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  }

  test('begins with now, and goes on behind the last entry that it has', async () => {
    const asked: unknown[] = []
    const client = await serve((request, response) => {
      asked.push(request.headers['last-event-id'])
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (asked.length === 1) response.end(entry(9) + entry(10, 'end', { reason: 'the server is stopping' }))
      else if (asked.length === 2) response.write(entry(12), () => response.destroy())
      else response.write(entry(13))
    })
    const broken: string[] = []
    expect((await read(client, 3, broken)).map(({ sequence }) => sequence)).toEqual([9, 12, 13])
    expect(asked).toEqual(['7', '10', '12'])
    expect(broken).toEqual(['the server ended the feed: the server is stopping', expect.any(String)])
  })

  test('begins anew with a server that has been started anew, though its sequence is no lower', async () => {
    const asked: unknown[] = []
    const client = await serve((request, response) => {
      asked.push(request.headers['last-event-id'])
      if (asked.length === 1) {
        startedMs++
        response.end(entry(8))
      } else response.write(entry(1))
    })
    expect((await read(client, 2)).map(({ sequence }) => sequence)).toEqual([8, 1])
    expect(asked).toEqual(['7', '0'])
  })

  test('waits out a server that is full or stopping', async () => {
    let requests = 0
    const client = await serve((_request, response) => {
      requests++
      if (requests === 1) response.end(entry(8))
      else if (requests === 2) response.writeHead(503).end('{"detail":"too many streams"}')
      else response.write(entry(9))
    })
    const broken: string[] = []
    expect(await read(client, 2, broken)).toHaveLength(2)
    expect(broken[1]).toMatch(/too many streams \(HTTP 503\)/)
  })

  test.each([
    ['a refusal', 401, '{"detail":"expected a token"}', /expected a token \(HTTP 401\)/],
    ['something else than a feed', 200, 'data: hello\n\n', /is it the right server/],
  ])('ends with an error for %s, also later', async (_name, status, body, message) => {
    let requests = 0
    const client = await serve((_request, response) => {
      if (++requests === 1) response.end(entry(8))
      else response.writeHead(status).end(body)
    })
    await expect(read(client, 2)).rejects.toThrow(message)
    await client.close()
  })
})
