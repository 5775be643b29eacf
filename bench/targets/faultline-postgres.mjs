// Faultline as it understands Postgres: without a rule, with one that never matches, and with that and polling. The rule wants the
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

/** @type {import('./target.mjs').Target} */
export const faultlinePostgresPoll = target('faultline-postgres+poll', [never], { busyPollMicros: 100 })

function target(name, faults, options = {}) {
  return {
    ...faultline,
    name,
    injectsFaults: false,
    scenarios: ['postgres'],
    start: (setting) => faultline.start({ ...setting, protocol: 'postgres', faults, options }),
  }
}
