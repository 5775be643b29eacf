// Faultline as it understands Postgres, once without a rule and once with one that never matches. The rule wants the
// kind and the tables of every statement, so that all of them are parsed.

import { faultline } from './faultline.mjs'

const never = {
  type: 'pg_error',
  match: { statement: 'update', table: 'no_such_table' },
  attributes: { code: '40001' },
}

/** @type {import('./target.mjs').Target} */
export const faultlinePostgres = target('faultline-postgres', [])

/** @type {import('./target.mjs').Target} */
export const faultlinePostgresRule = target('faultline-postgres+rule', [never])

function target(name, faults) {
  return {
    ...faultline,
    name,
    injectsFaults: false,
    scenarios: ['postgres'],
    start: (setting) => faultline.start({ ...setting, protocol: 'postgres', faults }),
  }
}
