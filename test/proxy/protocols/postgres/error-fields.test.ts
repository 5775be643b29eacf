// Errors as bytes: as the server writes them, and read back whatever comes.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  decodeError,
  encodeError,
  encodeNotice,
  type PgErrorFields,
} from '../../../../proxy/protocols/postgres/error-fields.ts'
import { PostgresConversation } from '../../../support/postgres-conversation.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests()

const complete: PgErrorFields = {
  severity: 'ERROR',
  code: 'P0001',
  message: 'm',
  detail: 'd',
  hint: 'h',
  position: '1',
  internalPosition: '2',
  internalQuery: 'q',
  where: 'w',
  schema: 's',
  table: 't',
  column: 'c',
  dataType: 'dt',
  constraint: 'n',
  file: 'f',
  line: '3',
  routine: 'r',
}

/** A message with this body; `length` as it says of itself. */
function raw(body: string | Buffer, length?: number): Buffer {
  const bytes = Buffer.concat([Buffer.from('E\0\0\0\0'), Buffer.from(body)])
  bytes.writeInt32BE(length ?? bytes.length - 1, 1)
  return bytes
}

describe('written', () => {
  test('fields come in the order of the server, each ended by a zero byte', () => {
    const fields = 'SERROR VERROR CP0001 Mm Dd Hh Ww ss tt cc ddt nn P1 p2 qq Ff L3 Rr'.replaceAll(' ', '\0')
    expect(encodeError(complete)).toEqual(raw(`${fields}\0\0`))
  })

  test('what is not said is not sent, but what is empty is', () => {
    const fields: PgErrorFields = { severity: 'FATAL', code: '57P01', message: '', hint: '' }
    expect(encodeError(fields)).toEqual(raw('SFATAL\0VFATAL\0C57P01\0M\0H\0\0'))
  })

  test('a notice differs by its first byte only', () => {
    const [error, notice] = [encodeError(complete), encodeNotice(complete)]
    expect(notice.toString('latin1', 0, 1)).toBe('N')
    expect(notice.subarray(1)).toEqual(error.subarray(1))
  })

  test('zero bytes in values are left out, as they would end the field', () => {
    const fields: PgErrorFields = { ...complete, message: 'a\0Cb', detail: '\0' }
    expect(decodeError(encodeError(fields))).toEqual({ ...complete, message: 'aCb', detail: '' })
  })

  test('whatever the values are, they are read as they were', () => {
    // Not grapheme clusters or lone surrogates: those are no text that could be sent.
    const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed().replaceAll('\0', ''))
    const value = text.filter((some) => !some.includes('\uFFFD'))
    const optional = fc.option(value, { nil: undefined })
    const names = Object.keys(complete).filter((name) => name !== 'severity' && name !== 'code' && name !== 'message')
    const arbitrary = fc.record(
      { message: value, ...Object.fromEntries(names.map((name) => [name, optional])) },
      { requiredKeys: ['message'] },
    )
    fc.assert(
      fc.property(arbitrary, (some) => {
        const fields: PgErrorFields = { severity: 'ERROR', code: '40001', ...some }
        const said = Object.fromEntries(Object.entries(fields).filter(([, each]) => each !== undefined))
        expect(decodeError(encodeError(fields))).toEqual(said)
      }),
    )
  })
})

describe('read', () => {
  // Together they have every field, and show the order of all of them.
  test.each([
    [
      'a notice of many fields',
      `DO $$ BEGIN
         RAISE WARNING 'ä' USING DETAIL = 'd', HINT = 'h', SCHEMA = 's', TABLE = 't', COLUMN = 'c', DATATYPE = 'd',
           CONSTRAINT = 'n';
       END $$`,
    ],
    ['an error of the query', 'SELECT nosuch'],
    ['an error of a constraint with a position', `CREATE DOMAIN pg_temp.d int CHECK (value < 9); SELECT '{11}'::d[]`],
    ['an error of a query in a function', `DO $$ BEGIN EXECUTE 'SELECT nosuch'; END $$`],
    ['an error of a constraint', `CREATE TEMP TABLE t (id int CHECK (id < 10)); INSERT INTO t VALUES (11)`],
  ])('%s of the server is written again byte by byte', async (_, sql) => {
    await using conversation = await PostgresConversation.connect({ port: server().port })
    const said = (await conversation.query(sql)).filter(({ type }) => type === 'E' || type === 'N')
    expect(said).toHaveLength(1)
    const { type, bytes } = said[0]!
    const fields = decodeError(bytes)
    expect(type === 'E' ? encodeError(fields) : encodeNotice(fields)).toEqual(bytes)
  })

  test('fields that nobody knows are left out', () => {
    expect(decodeError(raw('SERROR\0VERROR\0Znew\0C40001\0Mm\0\xffx\0\0'))).toEqual({
      severity: 'ERROR',
      code: '40001',
      message: 'm',
    })
  })

  test('the severity is the one that is the same in all languages', () => {
    const fields = decodeError(raw('SFEHLER\0VERROR\0C40001\0Mm\0\0'))
    expect(fields).toMatchObject({ severity: 'ERROR', localizedSeverity: 'FEHLER' })
    expect(encodeError(fields)).toEqual(raw('SFEHLER\0VERROR\0C40001\0Mm\0\0'))
  })

  test('servers before 9.6 say it in their language only', () => {
    expect(decodeError(raw('SFATAL\0C57P01\0Mm\0\0')).severity).toBe('FATAL')
    expect(decodeError(raw('SFEHLER\0C40001\0Mm\0\0')).severity).toBe('ERROR')
  })

  test('what is not UTF-8 is read as Latin-1', () => {
    expect(decodeError(raw(Buffer.from('Mf\xfcnf\0\0', 'latin1'))).message).toBe('fünf')
  })

  test('of a message that is cut off there is what there is', () => {
    const whole = encodeError(complete)
    for (let length = 0; length <= whole.length; length++) {
      const { message, routine } = decodeError(whole.subarray(0, length))
      expect(['', 'm']).toContain(message)
      expect([undefined, '', 'r']).toContain(routine)
    }
  })

  test('nothing behind the end of the message is read', () => {
    const short = raw('C40001\0Mm\0Hno\0\0', 4 + 'C40001\0Mm\0'.length)
    expect(decodeError(short)).toEqual({ severity: 'ERROR', code: '40001', message: 'm' })
    expect(decodeError(raw('C40001\0Mm\0\0Hno\0\0')).hint).toBeUndefined()
  })

  test('bytes of any kind are read as something', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const { severity, code, message } = decodeError(Buffer.from(bytes))
        expect([typeof severity, typeof code, typeof message]).toEqual(['string', 'string', 'string'])
      }),
    )
  })

  test.each([0, 1, 2])('64 KB of a value are read, up to a whole character (%i bytes before it)', (shift) => {
    // Three bytes each: with every shift the limit falls on another byte of a character.
    const where = 'x'.repeat(shift) + '漢'.repeat(100_000)
    const fields: PgErrorFields = { severity: 'ERROR', code: '40001', message: 'm', where, routine: 'r' }
    const read = decodeError(encodeError(fields))
    expect(where.startsWith(read.where!)).toBe(true)
    expect(Buffer.byteLength(read.where!)).toBeLessThanOrEqual(65_536)
    expect(Buffer.byteLength(read.where!)).toBeGreaterThan(65_536 - 3)
    expect(read).toEqual({ ...fields, where: read.where })
  })

  test('64 fields are read', () => {
    expect(decodeError(raw(`${'Z\0'.repeat(63)}C40001\0\0`)).code).toBe('40001')
    expect(decodeError(raw(`${'Z\0'.repeat(64)}C40001\0\0`)).code).toBe('XX000')
  })
})
