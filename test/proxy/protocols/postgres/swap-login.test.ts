// Logins that a proxy refuses, beside those that the server refuses by itself, byte by byte.
import { describe, expect, test } from 'vitest'
import type { BackendMessage } from '../../../support/postgres-backend.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { postgresForTests, startPostgres } from '../../../support/postgres.ts'
import { logins, startupServer, type Login } from './genuine/conversations.ts'
import { proxied, said } from './swap-comparison.ts'

const server = postgresForTests(startupServer)

interface Refused {
  readonly code: string
  /** Where codes are reported at several points. Default: the usual one. */
  readonly at?: 'startup' | 'authenticated'
  /** The message is that of the genuine error; otherwise the usual one has to be the same. */
  readonly message?: 'genuine'
  /** Fields that can't be set and that differ from the usual ones. */
  readonly except?: readonly string[]
}

async function expectSameRefusal(
  login: Login,
  { code, at, message, except }: Refused,
  genuineServer = server(),
): Promise<void> {
  const genuine = await login(genuineServer.port, genuineServer, 'genuine')
  await using proxy = await proxied(server())
  proxy.addFault({
    type: 'pg_connect_error',
    attributes: { code, ...(at && { at }), ...(message && { message: genuine.at(-1)?.fields['message'] }) },
  })
  const heard = await login(proxy.port, server(), 'none')
  expect(said(heard.map(withoutNonce), except)).toEqual(said(genuine.map(withoutNonce), except))
  expect(proxy.injections).toMatchObject([{ type: 'pg_connect_error', action: 'refuse', detail: { code } }])
}

/** SCRAM speaks of another nonce each time (RFC 5802, section 5.1): of this, type, length and kind are compared. */
function withoutNonce(message: BackendMessage): BackendMessage {
  if (message.summary !== 'SASLContinue' && message.summary !== 'SASLFinal') return message
  return { ...message, bytes: message.bytes.subarray(0, 9) }
}

describe('a login is refused as it is refused by itself', () => {
  test.each<[keyof typeof logins, Refused]>([
    ['wrongScramPassword', { code: '28P01' }],
    ['wrongClearPassword', { code: '28P01' }],
    ['unknownDatabase', { code: '3D000', message: 'genuine' }],
    ['unknownDatabaseWithScram', { code: '3D000', message: 'genuine' }],
    // Several errors have these codes, from several places of the server's source.
    ['unknownUser', { code: '28000', at: 'authenticated', message: 'genuine', except: ['L'] }],
    ['rejectedUser', { code: '28000', message: 'genuine', except: ['F', 'L', 'R'] }],
    ['tooManyOfUser', { code: '53300', message: 'genuine', except: ['F', 'L', 'R'] }],
    ['onlyReservedLeft', { code: '53300', message: 'genuine', except: ['F', 'L', 'R'] }],
    ['nothingLeft', { code: '53300', at: 'startup' }],
  ])('%s', (name, refused) => expectSameRefusal(logins[name], refused))

  test('shuttingDown', async () => {
    await using lost = await startPostgres(startupServer)
    const refused = { code: '57P03', message: 'genuine', except: ['L'] } as const
    await expectSameRefusal(logins.shuttingDown, refused, lost)
  })
})

test('a refusal ends as it ends by itself', async () => {
  const genuine = await PostgresConversation.begin({ port: server().port, user: 'anybody', database: 'unknown' })
  const ending = await genuine.untilEnded()
  genuine.socket.destroy()
  for (const at of ['startup', 'password', 'authenticated']) {
    await using proxy = await proxied(server())
    proxy.addFault({ type: 'pg_connect_error', attributes: { code: '3D000', at } })
    await using client = await PostgresConversation.begin({ port: proxy.port, user: 'anybody' })
    expect([at, await client.untilEnded()]).toEqual([at, ending])
  }
})
