// Errors of our own as a well-known client library reads them.
import { PassThrough } from 'node:stream'
import { DatabaseError, NoticeMessage } from 'pg-protocol/dist/messages.js'
import { parse } from 'pg-protocol'
import { expect, test } from 'vitest'
import { encodeError, encodeNotice, type PgErrorFields } from '../../../../proxy/protocols/postgres/error-fields.ts'

const fields: PgErrorFields = {
  severity: 'ERROR',
  code: '23505',
  message: 'duplicate key value violates unique constraint "orders_pkey" — ünïcode 🙂',
  detail: 'Key (id)=(1) already exists.',
  hint: 'Another id.',
  position: '7',
  internalPosition: '3',
  internalQuery: 'SELECT 1',
  where: 'PL/pgSQL function f() line 1',
  schema: 'public',
  table: 'orders',
  column: 'id',
  dataType: 'int4',
  constraint: 'orders_pkey',
  file: 'nbtinsert.c',
  line: '666',
  routine: '_bt_check_unique',
}

test.each([
  ['an error', encodeError(fields), DatabaseError],
  ['a notice', encodeNotice(fields), NoticeMessage],
])('%s has all its fields', async (_what, bytes, type) => {
  const read = await readByLibrary(bytes)
  expect(read).toBeInstanceOf(type)
  expect(read).toMatchObject(fields)
})

async function readByLibrary(bytes: Buffer): Promise<unknown> {
  const stream = new PassThrough()
  const messages: unknown[] = []
  const done = parse(stream, (message) => void messages.push(message))
  stream.end(bytes)
  await done
  return messages[0]
}
