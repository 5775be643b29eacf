// The one list of scenarios, in the order in which they run.

import { bandwidth } from './bandwidth.mjs'
import { bulk } from './bulk.mjs'
import { connections } from './connections.mjs'
import { idle } from './idle.mjs'
import { latency } from './latency.mjs'
import { requests } from './requests.mjs'

/** @type {import('./scenario.mjs').Scenario[]} */
export const scenarios = [requests, bulk, connections, idle, latency, bandwidth]
