// Names of errors: the table is the server's own, and names mean what PL/pgSQL takes them for.
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { conditionNames, resolveSqlState } from '../../../../proxy/protocols/postgres/sqlstate.ts'
import { findInstallation } from '../../../support/postgres-installation.ts'
import { postgresForTests } from '../../../support/postgres.ts'

const server = postgresForTests()

/** The list that the server itself is built from; installed with it. */
async function installedCodes(): Promise<[code: string, condition: string][]> {
  const { program } = await findInstallation()
  const lines = readFileSync(join(dirname(program), '../share/postgresql/errcodes.txt'), 'utf8').split('\n')
  return lines.flatMap((line) => {
    const [, code, condition] = /^([0-9A-Z]{5})\s+[EWS]\s+\w+\s+(\w+)$/.exec(line) ?? []
    return code && condition ? [[code, condition] as [string, string]] : []
  })
}

test('every code that the server has goes by its name, and no other is known by one', async () => {
  const installed = await installedCodes()
  // There are 262 in 18.4: far fewer would mean a list misread.
  expect(installed.length).toBeGreaterThan(200)
  for (const [code, condition] of installed) expect(resolveSqlState(code)).toMatchObject({ code, condition })
  expect(conditionNames.toSorted()).toEqual([...new Set(installed.map(([, condition]) => condition))].toSorted())
})

test('every name of an error means the code that the server raises by it', async () => {
  // The server knows no names of successes and warnings, and RAISE reads some names as words of its own.
  const names = conditionNames.filter((name) => resolveSqlState(name)?.isError)
  await server().query(`
    CREATE FUNCTION code_of(name text) RETURNS text LANGUAGE plpgsql AS $$
    BEGIN
      RAISE USING ERRCODE = name;
    EXCEPTION WHEN OTHERS OR assert_failure OR query_canceled THEN RETURN SQLSTATE;
    END $$`)
  const rows = await server().query<{ name: string; code: string }>(
    'SELECT name, code_of(name) AS code FROM unnest($1::text[]) AS name',
    [names],
  )
  expect(rows).toEqual(names.map((name) => ({ name, code: resolveSqlState(name)?.code })))
})

test('names are known in any case', () => {
  expect(resolveSqlState('Deadlock_DETECTED')).toEqual({ code: '40P01', condition: 'deadlock_detected', isError: true })
})

test('a code that the server does not have goes by the name of its class', () => {
  expect(resolveSqlState('40P77')).toEqual({ code: '40P77', condition: 'transaction_rollback', isError: true })
  expect(resolveSqlState('P0404')?.condition).toBe('plpgsql_error')
})

test.each(['72000', 'MY001', '10000', '40p01', '4000', '400011', '40001 ', '4000ä', '', 'deadlock', 'constructor'])(
  '%j is neither a code nor a name',
  (word) => {
    expect(resolveSqlState(word)).toBeUndefined()
  },
)

test.each(['00000', '01000', '01P01', '02000', '02001', '0100C', '01999', 'no_data'])('%s is no error', (word) => {
  expect(resolveSqlState(word)?.isError).toBe(false)
})

test.each(['03000', '0A000', '08006', '10608', 'XX000'])('%s is an error', (word) => {
  expect(resolveSqlState(word)?.isError).toBe(true)
})
