// Faultline as it understands HTTP, once without a rule and once with one that never matches.

import { faultline } from './faultline.mjs'

const never = { type: 'http_abort', match: { method: 'POST', path: '/never/*' }, attributes: { status: 503 } }

/** @type {import('./target.mjs').Target} */
export const faultlineHttp = target('faultline-http', [])

/** @type {import('./target.mjs').Target} */
export const faultlineHttpRule = target('faultline-http+rule', [never])

function target(name, faults) {
  return {
    ...faultline,
    name,
    injectsFaults: false,
    scenarios: ['http', 'transparency'],
    start: (setting) => faultline.start({ ...setting, protocol: 'http', faults }),
  }
}
