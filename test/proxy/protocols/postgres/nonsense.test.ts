// Clients and servers that do not speak Postgres, or break off speaking it: their own connection passes bytes or ends,
// and nothing else suffers.
import { afterEach, describe, expect, test } from 'vitest'
import type { FaultProxy, FaultSpec } from '../../../../proxy/index.ts'
import * as frontend from '../../../support/postgres-frontend.ts'
import { startProxied, type Proxied } from '../../../support/proxied.ts'
import type { RawSocket } from '../../../support/sockets.ts'

/** Statements and the ends of answers are looked at; the delay is noticed by nobody. */
const LOOKING: readonly FaultSpec[] = [
  { type: 'pg_error', attributes: { code: '40001' }, match: { query: 'not to be found' } },
  { type: 'pg_delay', attributes: { delayMs: 0 } },
]

const startup = frontend.startup({ user: 'ann', database: 'shop' })
const READY = frontend.message('Z', Buffer.from('I'))
const LET_IN = Buffer.concat([frontend.message('R', Buffer.alloc(4)), frontend.message('K', Buffer.alloc(8, 7)), READY])
const COMPLETE = frontend.message('C', Buffer.from('SELECT 1\0'))
const failure = (severity: string): Buffer =>
  frontend.message('E', Buffer.from(`S${severity}\0V${severity}\0C57P01\0Mterminating\0\0`))
const header = (type: string, length: number): Buffer => {
  const bytes = Buffer.from(`${type}....`)
  bytes.writeInt32BE(length, 1)
  return bytes
}

let proxied: Proxied | undefined

afterEach(async () => {
  await proxied?.[Symbol.asyncDispose]()
  proxied = undefined
})

interface Ends {
  readonly client: RawSocket
  readonly server: RawSocket
}

async function start(faults: readonly FaultSpec[] = LOOKING): Promise<Proxied> {
  proxied = await startProxied(
    faults.map((fault, index) => ({ ...fault, name: `f${index}` })),
    {},
    { protocol: 'postgres' },
  )
  return proxied
}

/** The client has been let in. */
async function login(all: Proxied): Promise<Ends> {
  const ends = await all.connect()
  ends.client.write(startup)
  await ends.server.untilBytes(startup.length)
  ends.server.write(LET_IN)
  await ends.client.untilBytes(LET_IN.length)
  return ends
}

/** Both ends send this, and both get exactly what the other has sent. */
async function exchange({ client, server }: Ends, said: Buffer | string, answered: Buffer | string): Promise<void> {
  const before = { up: server.receivedBytes, down: client.receivedBytes }
  client.write(said)
  await server.untilBytes(before.up + Buffer.byteLength(said))
  server.write(answered)
  await client.untilBytes(before.down + Buffer.byteLength(answered))
  expect(server.received.subarray(before.up)).toEqual(Buffer.from(said))
  expect(client.received.subarray(before.down)).toEqual(Buffer.from(answered))
}

/** A connection beside it, on which all is as it should be. */
async function worksAsEver(all: Proxied): Promise<void> {
  const ends = await login(all)
  await exchange(ends, frontend.query('SELECT 1'), Buffer.concat([COMPLETE, READY]))
  ends.client.end(frontend.terminate())
  expect(await ends.server.untilEnded()).toBe('FIN')
  ends.server.end()
  expect(await ends.client.untilEnded()).toBe('FIN')
}

function opaqueReasons({ network }: Proxied): string[] {
  const events = network.events.entries().filter(({ type }) => type === 'opaque')
  return events.map(({ detail }) => `${String(detail['direction'])}: ${String(detail['reason'])}`)
}

function open(proxy: FaultProxy): number {
  return proxy.connections.size
}

// ---- another protocol ------------------------------------------------------------------------------------------------

/** Up to its cipher suites; nobody answers it. */
const CLIENT_HELLO = Buffer.concat([Buffer.from('16030100c8010000c40303', 'hex'), Buffer.alloc(194, 0x5a)])

describe('a client that speaks something else', () => {
  test.each<[string, Buffer | string, string]>([
    ['HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'an impossible length'],
    ['TLS at once', CLIENT_HELLO, 'TLS'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', 'an impossible length'],
    ['zeros', Buffer.alloc(64), 'length'],
    ['ones', Buffer.alloc(64, 0xff), 'length'],
    ['version 2 of the protocol', Buffer.concat([Buffer.from([0, 0, 0, 8, 0, 2, 0, 0])]), 'version 2.0'],
    ['a first message of four bytes', Buffer.from([0, 0, 0, 4, 1, 2]), 'too short'],
    ['a first message of three bytes', Buffer.from([0, 0, 0, 3, 1, 2]), 'length'],
    [
      'a first message longer than servers take',
      Buffer.concat([Buffer.from([0, 0, 0x27, 0x11]), Buffer.alloc(50)]),
      'length',
    ],
  ])('%s passes as it is, and is on record', async (_what, said, reason) => {
    const all = await start()
    const ends = await all.connect()

    await exchange(ends, said, 'HTTP/1.1 200 OK\r\n\r\n')
    await exchange(ends, Buffer.from([1, 2, 3]), Buffer.from([0xff, 0, 0, 0, 0]))

    const [seen = 'nothing', ...more] = opaqueReasons(all)
    expect(seen).toMatch(/^upstream: /)
    expect(seen).toContain(reason)
    expect(more).toEqual([])
    expect(all.proxy.counters.opaqueConnections).toBe(1)
    const notApplied = all.network.events.entries().filter(({ type }) => type === 'fault_not_applied')
    expect(notApplied.map(({ detail }) => detail['fault'])).toEqual(['f0', 'f1'])
    await worksAsEver(all)
  })

  test('a fault that is added later says that it can not act there', async () => {
    const all = await start([])
    await exchange(await all.connect(), 'GET / HTTP/1.1\r\n\r\n', 'x')
    all.proxy.addFault({ type: 'pg_error', attributes: { code: '40001' } })
    const event = all.network.events.entries().find(({ type }) => type === 'fault_not_applied')
    expect(event?.detail).toMatchObject({ type: 'pg_error' })
  })

  test('bytes one by one pass, too', async () => {
    const all = await start()
    const { client, server } = await all.connect()
    for (const byte of 'GET / HTTP/1.1\r\n\r\n') client.write(byte)
    await server.untilBytes(18)
    expect(server.text).toBe('GET / HTTP/1.1\r\n\r\n')
  })
})

describe('a server that speaks first', () => {
  test.each([
    ['MySQL', Buffer.from('4a0000000a382e302e333600080000000a1b2c3d', 'hex')],
    [
      'MySQL with a length that is the type of an error',
      Buffer.from('450000000a382e302e333600080000000a1b2c3d', 'hex'),
    ],
    ['a mail server', Buffer.from('220 mail.test ESMTP ready\r\n')],
    ['less than a header', Buffer.from('RFB')],
    ['what looks like the beginning of a message', Buffer.from([0x52, 0, 0, 1, 0, 1, 2, 3])],
    ['what looks like a whole message', READY],
  ])('is heard at once: %s', async (_what, greeting) => {
    const all = await start()
    const { client, server } = await all.connect()
    server.write(greeting)
    await client.untilBytes(greeting.length)
    expect(client.received).toEqual(greeting)
    expect(opaqueReasons(all)).toEqual(['downstream: the server has spoken first'])
    await exchange({ client, server }, Buffer.from([0x20, 0, 0, 1, 0x85, 0xa6]), Buffer.from([7, 0, 0, 2, 0, 0]))
    await worksAsEver(all)
  })
})

// ---- nonsense of clients ---------------------------------------------------------------------------------------------

describe('a client that has been let in', () => {
  test.each([
    ['a length of 3', header('Q', 3)],
    ['a length of 0', header('S', 0)],
    ['a length below 0', header('Q', -1)],
    ['the least length that there is', header('P', -(2 ** 31))],
    ['bytes that are never set', Buffer.alloc(20, 0xff)],
  ])('says %s: the connection passes bytes from there on', async (_what, said) => {
    const all = await start()
    const ends = await login(all)
    await exchange(ends, Buffer.concat([frontend.query('SELECT 1'), said, Buffer.from('and more')]), failure('FATAL'))
    expect(opaqueReasons(all)).toEqual(['upstream: a message with an impossible length'])
    await worksAsEver(all)
  })

  test('a message of a type that does not exist passes, and so does all behind it', async () => {
    const all = await start()
    const ends = await login(all)
    await exchange(ends, frontend.message('!', Buffer.from('what?')), failure('ERROR'))
    await exchange(
      ends,
      Buffer.concat([frontend.sync(), frontend.query('SELECT 1')]),
      Buffer.concat([READY, COMPLETE, READY]),
    )
    expect(opaqueReasons(all)).toEqual([])
  })

  test('a message that is to be 2 GiB long is passed on as it comes', async () => {
    const all = await start()
    const ends = await login(all)
    const [connection] = all.proxy.connections
    await exchange(ends, Buffer.concat([header('Q', 2 ** 31 - 1), Buffer.alloc(100_000, 'x')]), failure('FATAL'))
    expect(connection?.heldBytes).toBe(0)
    expect(opaqueReasons(all)).toEqual([])
  })

  test.each(['Q', 'P', 'B', 'E', 'D', 'C', 'F'])('%s without a body does no harm', async (type) => {
    const all = await start()
    const ends = await login(all)
    await exchange(ends, header(type, 4), failure('ERROR'))
    await exchange(ends, frontend.sync(), READY)
    expect(opaqueReasons(all)).toEqual([])
  })

  test('counts that promise more than there is do no harm', async () => {
    const all = await start([
      ...LOOKING,
      { type: 'pg_error', attributes: { code: '40001' }, match: { parameters: { 65_535: 'x' } } },
    ])
    const ends = await login(all)
    const bind = frontend.message('B', Buffer.from([0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]))
    await exchange(ends, Buffer.concat([frontend.parse('SELECT 1'), bind, frontend.execute(), frontend.sync()]), READY)
  })

  test('half a message and FIN: both pass', async () => {
    const all = await start()
    const { client, server } = await login(all)
    const half = frontend.query('SELECT 1').subarray(0, 8)
    const before = server.receivedBytes
    client.end(half)
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.received.subarray(before)).toEqual(half)
    server.end(failure('FATAL'))
    expect(await client.untilEnded()).toBe('FIN')
    await worksAsEver(all)
  })

  test('half a message and RST: the server sees RST', async () => {
    const all = await start()
    const { client, server } = await login(all)
    client.write(frontend.query('SELECT 1').subarray(0, 8))
    client.reset()
    expect(await server.untilEnded()).toBe('ECONNRESET')
    await worksAsEver(all)
    expect(open(all.proxy)).toBe(0)
  })

  test('half a startup and FIN, or RST', async () => {
    const all = await start()
    const { client, server } = await all.connect()
    client.end(startup.subarray(0, 11))
    expect(await server.untilEnded()).toBe('FIN')
    expect(server.received).toEqual(startup.subarray(0, 11))
    const second = await all.connect()
    second.client.write(startup.subarray(0, 2))
    second.client.reset()
    expect(await second.server.untilEnded()).toBe('ECONNRESET')
    await worksAsEver(all)
  })
})

// ---- nonsense of servers ---------------------------------------------------------------------------------------------

describe('a server', () => {
  test.each([
    ['a length of 3', header('T', 3)],
    ['a length below 0', header('D', -5)],
    ['random bytes', Buffer.from([0x99, 0xff, 0xff, 0xff, 0xff, 1, 2, 3])],
  ])('that says %s: the connection passes bytes from there on', async (_what, answered) => {
    const all = await start()
    const ends = await login(all)
    await exchange(ends, frontend.query('SELECT 1'), Buffer.concat([COMPLETE, answered]))
    await exchange(ends, frontend.query('SELECT 2'), Buffer.from('anything'))
    expect(opaqueReasons(all)).toEqual(['downstream: a message with an impossible length'])
    await worksAsEver(all)
  })

  test.each([
    [
      'answers that nobody has asked for',
      Buffer.concat([COMPLETE, failure('ERROR'), frontend.message('1'), frontend.message('G', Buffer.alloc(3))]),
    ],
    ['ReadyForQuery again and again', Buffer.concat(Array.from({ length: 20_000 }, () => READY))],
    [
      'ReadyForQuery without a status, or with too much',
      Buffer.concat([header('Z', 4), frontend.message('Z', Buffer.from('I and more'))]),
    ],
    [
      'errors without fields, or without an end',
      Buffer.concat([
        header('E', 4),
        frontend.message('E', Buffer.from('SERROR')),
        frontend.message('E', Buffer.from('\0')),
      ]),
    ],
    ['another login', Buffer.concat([LET_IN, LET_IN, header('R', 4), header('K', 4), header('S', 4)])],
    ['notices and notifications', Buffer.concat([frontend.message('N', Buffer.from('\0')), header('A', 4)])],
    ['types that do not exist', Buffer.concat([header('!', 4), frontend.message('?', Buffer.from('what'))])],
  ])('that says %s, asked or not, is heard', async (_what, answered) => {
    const all = await start()
    const ends = await login(all)
    await exchange(ends, Buffer.alloc(0), answered)
    await exchange(ends, frontend.query('SELECT 1'), answered)
    await exchange(
      ends,
      Buffer.concat([frontend.parse('x'), frontend.bind(), frontend.execute(), frontend.sync()]),
      answered,
    )
    expect(opaqueReasons(all)).toEqual([])
    await worksAsEver(all)
  })

  test('that ends with FATAL in the middle of a result: error and FIN arrive, and FIN back', async () => {
    const all = await start()
    const { client, server } = await login(all)
    const before = client.receivedBytes
    client.write(frontend.query('SELECT 1'))
    await server.until(() => server.text.includes('SELECT 1'), 'the query')
    const answered = Buffer.concat([frontend.message('D', Buffer.alloc(2)), failure('FATAL')])
    server.end(answered)
    expect(await client.untilEnded()).toBe('FIN')
    expect(client.received.subarray(before)).toEqual(answered)
    client.end()
    expect(await server.untilEnded()).toBe('FIN')
    await worksAsEver(all)
    expect(open(all.proxy)).toBe(0)
  })

  test.each(['FIN', 'ECONNRESET'])(
    'that ends in the middle of a message by %s: the client gets what came',
    async (how) => {
      const all = await start()
      const { client, server } = await login(all)
      const before = client.receivedBytes
      const half = failure('FATAL').subarray(0, 9)
      // Errors are looked at whole: the part behind COMPLETE is held.
      server.write(Buffer.concat([COMPLETE, half]))
      await client.untilBytes(before + COMPLETE.length)
      if (how === 'FIN') server.end()
      else server.reset()
      expect(await client.untilEnded()).toBe(how)
      if (how === 'FIN') expect(client.received.subarray(before)).toEqual(Buffer.concat([COMPLETE, half]))
      await worksAsEver(all)
    },
  )

  test('that turns to nonsense while a statement waits: what waits goes on, in order', async () => {
    const all = await start([{ type: 'pg_delay', attributes: { delayMs: 3_600_000 }, match: { statement: 'insert' } }])
    const { client, server } = await login(all)
    const before = server.receivedBytes
    const said = Buffer.concat([
      frontend.query('SELECT 1'),
      frontend.query('INSERT INTO t VALUES (1)'),
      frontend.query('SELECT 2'),
    ])
    client.write(said)
    await server.until(() => server.text.includes('SELECT 1'), 'the first query')
    server.write(header('T', 3))
    await server.untilBytes(before + said.length)
    expect(server.received.subarray(before)).toEqual(said)
  })

  test('that turns to nonsense while the login hangs: the login goes on', async () => {
    const all = await start([{ type: 'pg_connect_error', attributes: { hang: true } }])
    const { client, server } = await all.connect()
    client.write(Buffer.concat([startup, frontend.query('SELECT 1')]))
    // It is on record when it hangs.
    await expect.poll(() => all.network.injections.entries().length).toBe(1)
    server.write('220 mail.test ESMTP ready\r\n')
    await server.untilBytes(startup.length + frontend.query('SELECT 1').length)
    expect(server.received).toEqual(Buffer.concat([startup, frontend.query('SELECT 1')]))
    await client.untilBytes(27)
    expect(client.text).toBe('220 mail.test ESMTP ready\r\n')
  })
})
