// The exchanges that a transparent proxy leaves as they are: one or more for each row of the table of transparency.
// Each is a script for a client and a server. The marks they wait for survive what is a matter of taste.

const lines = (...all) => `${all.join('\r\n')}\r\n\r\n`
/** With a date, which servers must send and proxies may add (RFC 9110 section 6.6.1). */
const answer = (status, ...headers) => lines(`HTTP/1.1 ${status}`, 'Date: Sat, 01 Jan 2000 00:00:00 GMT', ...headers)
const get = (...headers) => lines('GET /mark HTTP/1.1', 'Host: example.test', ...headers)
const ok = (body, ...headers) => `${answer('200 OK', ...headers, `Content-Length: ${body.length}`)}${body}`

/** The empty line behind a head. */
const headEnd = /\r?\n\r?\n/

/** One request, one answer that ends with `done`. */
const oneOfEach =
  (request, response) =>
  async ({ client, server }) => {
    await client.send(request)
    await server.until('mark')
    await server.until(headEnd)
    await server.send(response)
    await client.until('done')
  }

const exchange = (row, name, play, { about = 'bytes' } = {}) => ({ row, name, play, about })

const headers = [
  exchange(
    'header order, case',
    'a request and an answer',
    oneOfEach(
      get('x-b: 1', 'ACCEPT: */*', 'x-A:2', 'User-agent:  spaced ', 'X-Empty:'),
      ok('done', 'server: s', 'X-b: 1', 'AGE: 1', 'a: b'),
    ),
  ),
  exchange(
    'duplicate headers',
    'a request and an answer',
    oneOfEach(
      get('X-Twice: 1', 'Accept: a', 'X-Twice: 2', 'Accept: b', 'Cookie: a=1', 'Cookie: b=2'),
      ok('done', 'Set-Cookie: a', 'Warning: 1', 'Set-Cookie: b', 'Warning: 2', 'X-Twice: 1', 'X-Twice: 2'),
    ),
  ),
  exchange('folded headers', 'a request and an answer', async ({ client, server }) => {
    await client.send(get('X-Folded: one\r\n\ttwo\r\n   three'))
    await server.until('three\r\n\r\n')
    await server.send(ok('done', 'X-Folded: one\r\n two'))
    await client.until('done')
  }),
  exchange('bare LF', 'a request and an answer', async ({ client, server }) => {
    await client.send('POST /mark HTTP/1.1\nHost: example.test\nContent-Length: 4\n\nbody')
    await server.until('body')
    await server.send('HTTP/1.1 200 OK\nDate: Sat, 01 Jan 2000 00:00:00 GMT\nContent-Length: 4\n\ndone')
    await client.until('done')
  }),
  exchange('heads of 20 KB', 'of a request', oneOfEach(get(`X-Long: ${'x'.repeat(20_000)}`, 'X-Last: 1'), ok('done'))),
  exchange(
    'heads of 20 KB',
    'of an answer',
    oneOfEach(get(), ok('done', ...Array.from({ length: 200 }, (_, index) => `X-${index}: ${'y'.repeat(95)}`))),
  ),
]

const requestLines = [
  ...['REPORT', 'M-SEARCH', 'get', 'X-Odd!'].map((method) =>
    exchange('odd methods', method, oneOfEach(lines(`${method} /mark HTTP/1.1`, 'Host: example.test'), ok('done'))),
  ),
  ...['//a//b/mark', 'http://example.test/mark?x=1', '/a/../%2e%2E/mark?a=%20&&b#c', '/\xc3\xa4\xff/mark'].map(
    (target) =>
      exchange('target bytes', target, oneOfEach(lines(`GET ${target} HTTP/1.1`, 'Host: example.test'), ok('done'))),
  ),
  exchange('target bytes', '*', oneOfEach(lines('OPTIONS * HTTP/1.1', 'Host: example.test', 'X: mark'), ok('done'))),
]

const bodies = [
  exchange('chunk extensions', 'of a request and an answer', async ({ client, server }) => {
    await client.send(lines('POST /mark HTTP/1.1', 'Host: example.test', 'Transfer-Encoding: chunked'))
    await client.send('5;a=1;b="c;d"\r\nhello\r\n00003\r\nmor\r\n0;last\r\n\r\n')
    await server.until('\r\n\r\n')
    await server.until('mor')
    await server.send(`${answer('200 OK', 'Transfer-Encoding: chunked')}4;x\r\ndone\r\n0\r\n\r\n`)
    await client.until('0\r\n\r\n')
  }),
  exchange('trailers', 'of a request', async ({ client, server }) => {
    await client.send(
      lines('POST /mark HTTP/1.1', 'Host: example.test', 'Trailer: X-Sum', 'Transfer-Encoding: chunked'),
    )
    await client.send('5\r\nhello\r\n0\r\nX-Sum: 5\r\nx-other:\t1\r\n\r\n')
    await server.until('0\r\n')
    await server.send(ok('done'))
    await client.until('done')
  }),
  exchange('trailers', 'of an answer', async ({ client, server }) => {
    await client.send(get('TE: trailers'))
    await server.until('/mark')
    await server.send(answer('200 OK', 'Trailer: X-Sum', 'Transfer-Encoding: chunked'))
    await server.send('5\r\nhello\r\n0\r\nX-Sum: 5\r\nx-other:\t1\r\n\r\n')
    await client.until('hello')
    await client.until('0\r\n')
  }),
  exchange('Content-Length and Transfer-Encoding', 'in a request', async ({ client, server }) => {
    await client.send(
      lines('POST /mark HTTP/1.1', 'Host: example.test', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
    )
    await client.send('0\r\n\r\n')
    await server.until('0\r\n\r\n')
    await server.send(ok('done'))
    await client.until('done')
  }),
  exchange('Content-Length and Transfer-Encoding', 'in an answer', async ({ client, server }) => {
    await client.send(get())
    await server.until('/mark')
    await server.send(answer('200 OK', 'Transfer-Encoding: chunked', 'Content-Length: 14'))
    await server.send('4\r\ndone\r\n0\r\n\r\n')
    await client.until('done')
  }),
  exchange('HTTP/1.0, until the connection ends', 'HTTP/1.0 both ways', async ({ client, server }) => {
    await client.send(lines('GET /mark HTTP/1.0'))
    await server.until('/mark')
    await server.send(
      `${lines('HTTP/1.0 200 OK', 'Date: Sat, 01 Jan 2000 00:00:00 GMT', 'Server: old')}all until the end`,
    )
    server.end()
    await client.until('end')
    await client.untilEnded()
  }),
  exchange(
    'HTTP/1.0, until the connection ends',
    'an answer of HTTP/1.1 without a length',
    async ({ client, server }) => {
      await client.send(get())
      await server.until('/mark')
      await server.send(`${answer('200 OK', 'Server: s')}all until the end`)
      server.end()
      await client.until('end')
      await client.untilEnded()
    },
  ),
]

const order = [
  exchange('Expect: 100-continue', 'the server says 100', async ({ client, server }) => {
    await client.send(lines('PUT /mark HTTP/1.1', 'Host: example.test', 'Expect: 100-continue', 'Content-Length: 4'))
    await server.until('/mark')
    await server.send(lines('HTTP/1.1 100 Go on', 'X-Early: 1'))
    await client.until('100')
    await client.send('body')
    await server.until('body')
    await server.send(ok('done'))
    await client.until('done')
  }),
  exchange('Expect: 100-continue', 'the server says 417', async ({ client, server }) => {
    await client.send(lines('PUT /mark HTTP/1.1', 'Host: example.test', 'Expect: 100-continue', 'Content-Length: 4'))
    await server.until('/mark')
    await server.send(`${answer('417 Expectation Failed', 'Content-Length: 5')}sorry`)
    await client.until('sorry')
  }),
  ...['103 Early Hints', '102 Processing', '110 Odd One'].map((status) =>
    exchange('103 and other 1xx', status, async ({ client, server }) => {
      await client.send(get())
      await server.until('/mark')
      await server.send(lines(`HTTP/1.1 ${status}`, 'Link: </style.css>; rel=preload', 'X-Early: early'))
      await server.send(ok('done'))
      await client.until('done')
    }),
  ),
  exchange('103 and other 1xx', '103 long before the answer', async ({ client, server }) => {
    await client.send(get())
    await server.until('/mark')
    await server.send(lines('HTTP/1.1 103 Early Hints', 'X-Early: early'))
    await client.until('early')
    await server.send(ok('done'))
    await client.until('done')
  }),
  exchange('pipelining', 'three requests before the first answer', async ({ client, server }) => {
    await client.send(
      ['one', 'two', 'three-mark'].map((path) => lines(`GET /${path} HTTP/1.1`, 'Host: a.test')).join(''),
    )
    await server.until('/three-mark')
    // Each on the connection that its request came on.
    for (const [path, body] of [
      ['/one', 'first'],
      ['/two', 'second'],
      ['/three-mark', 'third'],
    ]) {
      await server.until(path)
      await server.send(ok(body))
    }
    await client.until('third')
  }),
  exchange('pipelining', 'an answer before the request is complete', async ({ client, server }) => {
    await client.send(`${lines('POST /mark HTTP/1.1', 'Host: example.test', 'Content-Length: 8')}half`)
    await server.until('half')
    await server.send(`${answer('413 Too Large', 'Content-Length: 4')}stop`)
    await client.until('stop')
    await client.send('rest')
    await server.until('rest')
  }),
]

const endings = [
  exchange(
    'idle server closes',
    'after an answer that let the connection live',
    async ({ client, server }) => {
      await client.send(get())
      await server.until('/mark')
      await server.send(ok('done'))
      await client.until('done')
      server.end()
      await client.untilEnded()
    },
    { about: 'endings' },
  ),
  exchange(
    'half-closed client',
    'gets its answer',
    async ({ client, server }) => {
      await client.send(get())
      await server.until('/mark')
      client.end()
      await server.send(ok('done'))
      await client.until('done')
    },
    { about: 'endings' },
  ),
  exchange(
    'half-closed client',
    'is seen by the server before it answers',
    async ({ client, server }) => {
      await client.send(get())
      client.end()
      await server.until('/mark')
      await server.untilEnded()
      await server.send(ok('done'))
      await client.until('done')
      server.end()
      await client.untilEnded()
    },
    { about: 'endings' },
  ),
  ...[
    ['with Content-Length', answer('200 OK', 'Content-Length: 100')],
    ['in chunks', `${answer('200 OK', 'Transfer-Encoding: chunked')}64\r\n`],
    ['without a length', answer('200 OK', 'Server: s')],
  ].map(([name, head]) =>
    exchange(
      'server resets in mid body',
      name,
      async ({ client, server }) => {
        await client.send(get())
        await server.until('/mark')
        await server.send(`${head}half of it`)
        await client.until('half of it')
        server.reset()
        await client.untilEnded()
      },
      { about: 'endings' },
    ),
  ),
  exchange(
    'client resets in mid body',
    'with Content-Length',
    async ({ client, server }) => {
      await client.send(`${lines('POST /mark HTTP/1.1', 'Host: example.test', 'Content-Length: 100')}half of it`)
      await server.until('half of it')
      client.reset()
      await server.untilEnded()
    },
    { about: 'endings' },
  ),
]

const tunnels = [
  exchange('CONNECT', 'and bytes both ways', async ({ client, server }) => {
    await client.send(lines('CONNECT mark.test:443 HTTP/1.1', 'Host: mark.test:443'))
    await server.until('mark.test')
    await server.send(answer('200 Connection established'))
    await client.until('\r\n\r\n')
    await client.send('\x16\x03\x01 not HTTP')
    await server.until('not HTTP')
    await server.send('\x16\x03\x03 nor this')
    await client.until('nor this')
  }),
  exchange('CONNECT', 'refused, and again with credentials', async ({ client, server }) => {
    await client.send(lines('CONNECT mark.test:443 HTTP/1.1', 'Host: mark.test:443'))
    await server.until('mark.test')
    await server.send(`${answer('407 Proxy Authentication Required', 'Content-Length: 3')}who`)
    await client.until('who')
    await client.send(lines('CONNECT mark.test:443 HTTP/1.1', 'Host: mark.test:443', 'Proxy-Authorization: Basic eDp5'))
    await server.until('eDp5')
    await server.send(answer('200 OK'))
    await client.until(/ 200 OK[^]*\r\n\r\n/)
    await client.send('GET like HTTP')
    await server.until('like HTTP')
  }),
  ...['other/1', 'websocket'].map((protocol) =>
    exchange(`upgrade`, protocol, async ({ client, server }) => {
      await client.send(
        get('Connection: Upgrade', `Upgrade: ${protocol}`, 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='),
      )
      await server.until('/mark')
      await server.send(lines('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', 'Connection: Upgrade'))
      await client.until(headEnd)
      // Not HTTP, and as WebSocket a frame of text each, the client's masked.
      await client.send('\x81\x84\x01\x02\x03\x04qkmc')
      await server.until('qkmc')
      await server.send('\x81\x04pong')
      await client.until('pong')
    }),
  ),
  exchange('upgrade', 'refused', async ({ client, server }) => {
    await client.send(get('Connection: Upgrade', 'Upgrade: other/1'))
    await server.until('/mark')
    await server.send(ok('done'))
    await client.until('done')
    await client.send(lines('GET /second HTTP/1.1', 'Host: example.test'))
    await server.until('/second')
    await server.send(ok('again'))
    await client.until('again')
  }),
]

/** @type {import('./transparency.mjs').Exchange[]} */
export const exchanges = [...headers, ...requestLines, ...bodies, ...order, ...endings, ...tunnels]
