// What can't work is refused when it is asked for, by the name of the field that is wrong, and changes nothing.
import type { FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { buildAdminApp } from '../../../../admin/server.ts'
import { FaultlineError, Network, type FaultProxy, type FaultSpec, type ProxySpec } from '../../../../proxy/index.ts'
import { makeSelfSigned } from '../../../../proxy/protocols/postgres/tls-self-signed.ts'
import { postgresCertificate } from '../../../support/postgres.ts'

let network: Network
let app: FastifyInstance
let proxy: FaultProxy

const upstream = '127.0.0.1:1'

beforeEach(async () => {
  network = new Network({ seed: 1 })
  app = await buildAdminApp(network)
  const faults: FaultSpec[] = [{ name: 'there', type: 'pg_error', attributes: { code: '40001', at: 'rows', rows: 2 } }]
  proxy = await network.createProxy({ name: 'pg', protocol: 'postgres', upstream, faults })
})

afterEach(async () => {
  await app.close()
  await network.close()
})

interface Answer {
  readonly status: number
  readonly type: string
  readonly problem: { readonly code: string; readonly field: string; readonly detail: string }
}

async function call(method: 'POST' | 'PATCH', url: string, payload: object): Promise<Answer> {
  const answer = await app.inject({ method, url, payload })
  return { status: answer.statusCode, type: String(answer.headers['content-type']), problem: answer.json() }
}

/** All that the API tells about proxies and their faults. */
async function state(): Promise<unknown> {
  return (await app.inject({ method: 'GET', url: '/v1/proxies' })).json()
}

async function refusal(act: () => unknown): Promise<FaultlineError> {
  try {
    await act()
  } catch (error) {
    if (error instanceof FaultlineError) return error
    throw error
  }
  throw new Error('it was not refused')
}

interface Refused {
  readonly fault: Record<string, unknown> & { readonly type: string }
  readonly field: string
  readonly code?: string
  /** In the message. */
  readonly says?: string | RegExp
}

const error = (attributes: object, more: object = {}) => ({
  type: 'pg_error',
  attributes: { code: '40001', ...attributes },
  ...more,
})
const matching = (match: object, type = 'pg_error') => ({ ...(type === 'pg_error' ? error({}) : { type }), match })

const errors: Record<string, Refused> = {
  'no code': { fault: { type: 'pg_error' }, field: 'attributes.code', code: 'missing_field' },
  'an empty code': { fault: error({ code: '' }), field: 'attributes.code' },
  'a code that is a number': { fault: error({ code: 40_001 }), field: 'attributes.code' },
  'a SQLSTATE of no class': { fault: error({ code: '72000' }), field: 'attributes.code', says: /SQLSTATE.*"72000"/ },
  'a SQLSTATE in lower case': { fault: error({ code: '40p01' }), field: 'attributes.code' },
  'a SQLSTATE that is too short': { fault: error({ code: '4000' }), field: 'attributes.code' },
  'a condition that is mistyped': {
    fault: error({ code: 'serialisation_failure' }),
    field: 'attributes.code',
    says: '"serialization_failure"',
  },
  'a condition that is like no other': { fault: error({ code: 'no_such_condition' }), field: 'attributes.code' },
  'rows without at: rows': { fault: error({ rows: 2 }), field: 'attributes.rows', says: 'at: rows' },
  'rows below 1': { fault: error({ at: 'rows', rows: 0 }), field: 'attributes.rows', says: '1' },
  'rows that are not whole': { fault: error({ at: 'rows', rows: 1.5 }), field: 'attributes.rows' },
  'bytes without at: copy': { fault: error({ bytes: 2 }), field: 'attributes.bytes', says: 'at: copy' },
  'bytes below 0': { fault: error({ at: 'copy', bytes: -1 }), field: 'attributes.bytes' },
  'a point that is none': { fault: error({ at: 'end' }), field: 'attributes.at', says: '"commit"' },
  'a position before the first': { fault: error({ position: 0 }), field: 'attributes.position' },
  'a message that is too long': { fault: error({ message: 'x'.repeat(8193) }), field: 'attributes.message' },
  'an attribute that is none': {
    fault: error({ mesage: 'x' }),
    field: 'attributes.mesage',
    code: 'unknown_field',
    says: 'did you mean "message"?',
  },
  'the direction upstream': { fault: error({}, { direction: 'upstream' }), field: 'direction', says: '"downstream"' },
  'a key that is no field': { fault: error({}, { key: 'x-tenant' }), field: 'key', says: 'applicationName' },
  'a key that can be matched but not counted by': { fault: error({}, { key: 'table' }), field: 'key' },
}

const matches: Record<string, Refused> = {
  'a regular expression that is none': { fault: matching({ query: '/a(/' }), field: 'match.query' },
  'the same as an object': { fault: matching({ query: { regex: 'a(' } }), field: 'match.query.regex' },
  'a flag that is none': {
    fault: matching({ query: { regex: 'a', flags: 'q' } }),
    field: 'match.query.regex',
    says: 'flags',
  },
  'an expression with a backreference': { fault: matching({ user: '/(a)\\1/' }), field: 'match.user' },
  'a table by a wrong expression': { fault: matching({ table: '/a(/' }), field: 'match.table' },
  'a field that is mistyped': {
    fault: matching({ databse: 'x' }),
    field: 'match.databse',
    code: 'unknown_field',
    says: 'did you mean "database"?',
  },
  'a field of http': { fault: matching({ path: '/x' }), field: 'match.path', code: 'unknown_field', says: 'statement' },
  'a kind of statement that is none': { fault: matching({ statement: 'selct' }), field: 'match.statement' },
  'a kind in upper case': { fault: matching({ statement: 'SELECT' }), field: 'match.statement' },
  'a list with a kind that is none': { fault: matching({ statement: ['insert', 'upsert'] }), field: 'match.statement' },
  'no kind at all': { fault: matching({ statement: [] }), field: 'match.statement' },
  'no table at all': { fault: matching({ table: [] }), field: 'match.table' },
  'inTransaction as a text': { fault: matching({ inTransaction: 'yes' }), field: 'match.inTransaction' },
  'parameter 0': { fault: matching({ parameters: { 0: 'x' } }), field: 'match.parameters.0', says: '65535' },
  'a parameter with a name': { fault: matching({ parameters: { id: 'x' } }), field: 'match.parameters.id' },
  'a parameter behind the last': { fault: matching({ parameters: { 65_536: 'x' } }), field: 'match.parameters.65536' },
  'a match that is no object': { fault: { ...error({}), match: 'insert' }, field: 'match' },
}

const aboutConnections: Record<string, Refused> = Object.fromEntries(
  [
    { type: 'pg_connect_error' },
    { type: 'pg_read_only' },
    { type: 'pg_pooler' },
    { type: 'pg_terminate', attributes: { when: 'idle' } },
  ].flatMap(({ type, attributes = {} }) =>
    [
      { statement: 'insert' },
      { query: 'x' },
      { table: 't' },
      { inTransaction: true },
      { prepared: 'x' },
      { parameters: { 1: 'x' } },
    ].map((match): [string, Refused] => [
      `${type} by ${Object.keys(match).join()}`,
      { fault: { type, attributes, match }, field: 'match', says: 'only database, user and applicationName' },
    ]),
  ),
)

const others: Record<string, Refused> = {
  'a connect error with code and hang': {
    fault: { type: 'pg_connect_error', attributes: { code: '53300', hang: true } },
    field: 'attributes.code',
    says: 'hang',
  },
  'a connect error with message and hang': {
    fault: { type: 'pg_connect_error', attributes: { message: 'no', hang: true } },
    field: 'attributes.message',
    says: 'hang',
  },
  'a connect error of no condition': {
    fault: { type: 'pg_connect_error', attributes: { code: 'to_many_connections' } },
    field: 'attributes.code',
    says: '"too_many_connections"',
  },
  'a termination by an error that ends nothing': {
    fault: { type: 'pg_terminate', attributes: { code: 'deadlock_detected' } },
    field: 'attributes.code',
    says: '57P01, 57P02, 25P03, 57P05',
  },
  'an idle timeout while a statement runs': {
    fault: { type: 'pg_terminate', attributes: { code: '25P03', when: 'query' } },
    field: 'attributes.when',
    says: 'idle',
  },
  'afterMs while a statement runs': {
    fault: { type: 'pg_terminate', attributes: { afterMs: 5 } },
    field: 'attributes.afterMs',
    says: 'when: idle',
  },
  'a termination after rows without a result': {
    fault: { type: 'pg_terminate', attributes: { rows: 5 } },
    field: 'attributes.rows',
    says: 'when: result',
  },
  'an outcome while idle': {
    fault: { type: 'pg_terminate', attributes: { when: 'idle', outcome: 'may_commit' } },
    field: 'attributes.outcome',
    says: 'when: query or result',
  },
  'a delay without time': { fault: { type: 'pg_delay' }, field: 'attributes.delayMs', code: 'missing_field' },
  'a delay into the past': { fault: { type: 'pg_delay', attributes: { delayMs: -1 } }, field: 'attributes.delayMs' },
  'a delay of rows at no rows': {
    fault: { type: 'pg_delay', attributes: { delayMs: 1, everyRows: 2 } },
    field: 'attributes.everyRows',
    says: 'at: rows',
  },
  'a throttle that stands still': {
    fault: { type: 'pg_throttle', attributes: { rowsPerSecond: 0 } },
    field: 'attributes.rowsPerSecond',
  },
  'a truncation after less than nothing': {
    fault: { type: 'pg_truncate', attributes: { rows: -1 } },
    field: 'attributes.rows',
  },
  'a lost commit at no time': {
    fault: { type: 'pg_commit_lost', attributes: { when: 'during' } },
    field: 'attributes.when',
    says: '"before" or "after"',
  },
  'a fault that is mistyped': {
    fault: { type: 'pg_eror' },
    field: 'type',
    code: 'unknown_fault_type',
    says: 'did you mean "pg_error"?',
  },
}

describe.each(Object.entries({ errors, matches, aboutConnections, others }))('%s', (_group, cases) => {
  test.each(Object.entries(cases))(
    'refused: %s',
    async (_name, { fault, field, code = 'invalid_value', says = field }) => {
      const before = await state()

      const thrown = await refusal(() => proxy.addFault(fault))
      const answer = await call('POST', '/v1/proxies/pg/faults', fault)
      const created = await call('POST', '/v1/proxies', {
        name: 'new',
        protocol: 'postgres',
        upstream,
        faults: [fault],
      })

      expect([thrown.code, thrown.field]).toEqual([code, field])
      expect(thrown.message).toMatch(says)
      expect(answer).toMatchObject({ status: 400, problem: { code, field, detail: thrown.message } })
      expect(answer.type).toMatch(/^application\/problem\+json/)
      expect(created).toMatchObject({ status: 400, problem: { code, field: `faults.0.${field}` } })
      expect(await state()).toEqual(before)
      expect([...proxy.faults].map(({ name }) => name)).toEqual(['there'])
    },
  )
})

test.each([
  ['attributes.code', { attributes: { code: 'nonsense' } }],
  ['attributes.rows', { attributes: { at: 'commit' } }],
  ['match.statement', { match: { statement: 'nonsense' } }],
  ['match.query', { match: { query: '/a(/' } }],
  ['key', { key: 'x-tenant' }],
  ['probability', { probability: 2 }],
  ['every', { every: 0 }],
])('a change of %s that can not work leaves the fault as it was', async (field, change) => {
  const before = await state()

  const thrown = await refusal(() => proxy.updateFault('there', change))
  const answer = await call('PATCH', '/v1/proxies/pg/faults/there', change)

  expect(thrown.field).toBe(field)
  expect(answer).toMatchObject({ status: 400, problem: { code: 'invalid_value', field } })
  expect(await state()).toEqual(before)
})

test.each(['tcp', 'http'] as const)('a proxy with protocol %s does not carry faults of Postgres', async (protocol) => {
  const other = await network.createProxy({ name: 'other', protocol, upstream })
  const before = await state()
  for (const type of ['pg_error', 'pg_terminate', 'pg_read_only']) {
    const fault = { type, ...(type === 'pg_error' && { attributes: { code: '40001' } }) }
    expect((await refusal(() => other.addFault(fault))).code).toBe('fault_not_carried')
    const answer = await call('POST', '/v1/proxies/other/faults', fault)
    expect(answer).toMatchObject({ status: 422, problem: { code: 'fault_not_carried', field: 'type' } })
    expect(answer.problem.detail).toContain('postgres')
  }
  expect(await state()).toEqual(before)
})

test('a proxy with protocol postgres does not carry faults of http, but those of streams', async () => {
  const answer = await call('POST', '/v1/proxies/pg/faults', { type: 'http_abort' })
  expect(answer).toMatchObject({ status: 422, problem: { code: 'fault_not_carried', field: 'type' } })
  expect((await call('POST', '/v1/proxies/pg/faults', { type: 'latency' })).status).toBe(201)
})

describe('TLS options', () => {
  const { cert: tlsCertificate, key: tlsKey } = postgresCertificate
  const other = makeSelfSigned()
  const notPem = 'MIIB not PEM'

  const cases: Record<string, { options: object; field: string; code?: string; says?: string | RegExp }> = {
    'a mode that is none': { options: { tls: 'offload' }, field: 'tls', says: '"terminate"' },
    'a mode that is a boolean': { options: { tls: true }, field: 'tls' },
    'a certificate without its key': {
      options: { tls: 'terminate', tlsCertificate },
      field: 'tlsKey',
      code: 'missing_field',
      says: 'tlsCertificate',
    },
    'a key without its certificate': {
      options: { tls: 'terminate', tlsKey },
      field: 'tlsCertificate',
      code: 'missing_field',
      says: 'tlsKey',
    },
    'a certificate that is not PEM': {
      options: { tls: 'terminate', tlsCertificate: notPem, tlsKey },
      field: 'tlsCertificate',
    },
    'a key that is not PEM': { options: { tls: 'client_only', tlsCertificate, tlsKey: notPem }, field: 'tlsKey' },
    'the key of another certificate': {
      options: { tls: 'terminate', tlsCertificate, tlsKey: other.key },
      field: 'tlsKey',
      says: 'tlsCertificate',
    },
    'a certificate that is a number': {
      options: { tls: 'terminate', tlsCertificate: 5, tlsKey },
      field: 'tlsCertificate',
    },
    'a certificate in passthrough': { options: { tlsCertificate, tlsKey }, field: 'tlsCertificate', says: 'terminate' },
    'a certificate for nobody': { options: { tls: 'server_only', tlsCertificate, tlsKey }, field: 'tlsCertificate' },
    'an authority in passthrough': { options: { tls: 'passthrough', tlsCa: tlsCertificate }, field: 'tlsCa' },
    'an authority without TLS with the server': {
      options: { tls: 'client_only', tlsCa: tlsCertificate },
      field: 'tlsCa',
      says: 'server_only',
    },
    'an authority that is not asked': {
      options: { tls: 'terminate', tlsCa: tlsCertificate },
      field: 'tlsCa',
      says: 'tlsVerify',
    },
    'an authority that is not PEM': { options: { tls: 'terminate', tlsVerify: 'ca', tlsCa: notPem }, field: 'tlsCa' },
    'verification in passthrough': { options: { tlsVerify: 'full' }, field: 'tlsVerify', says: 'terminate' },
    'verification without TLS with the server': {
      options: { tls: 'client_only', tlsVerify: 'ca' },
      field: 'tlsVerify',
    },
    'verification that trusts nobody': {
      options: { tls: 'terminate', tlsVerify: 'full' },
      field: 'tlsCa',
      code: 'missing_field',
      says: 'system',
    },
    'verification that is none': { options: { tls: 'terminate', tlsVerify: 'strict' }, field: 'tlsVerify' },
    'an option of http': { options: { strict: true }, field: 'strict', code: 'unknown_field' },
    'an option that is mistyped': { options: { tlsKeys: tlsKey }, field: 'tlsKeys', code: 'unknown_field' },
  }

  test.each(Object.entries(cases))(
    'refused: %s',
    async (_name, { options, field, code = 'invalid_value', says = field }) => {
      const before = await state()
      const spec = { name: 'new', protocol: 'postgres', upstream, ...options } as ProxySpec

      const thrown = await refusal(() => network.createProxy(spec))
      const answer = await call('POST', '/v1/proxies', spec)

      expect([thrown.code, thrown.field]).toEqual([code, field])
      expect(thrown.message).toMatch(says)
      // A key is a secret, in whatever field it has come.
      expect(thrown.message).not.toContain(tlsKey.slice(40, 60))
      expect(answer).toMatchObject({ status: 400, problem: { code, field, detail: thrown.message } })
      expect(await state()).toEqual(before)
      expect(network.proxy('new')).toBeUndefined()
    },
  )

  test('other protocols have none of them', async () => {
    const answer = await call('POST', '/v1/proxies', { name: 'new', protocol: 'tcp', upstream, tls: 'terminate' })
    expect(answer).toMatchObject({ status: 400, problem: { code: 'unknown_field', field: 'tls' } })
  })

  test('what is right is taken, after all that', async () => {
    const options = { tls: 'terminate', tlsCertificate, tlsKey, tlsVerify: 'ca', tlsCa: tlsCertificate }
    expect(
      (await call('POST', '/v1/proxies', { name: 'new', protocol: 'postgres', upstream, ...options })).status,
    ).toBe(201)
  })
})
